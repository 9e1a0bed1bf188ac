import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Logger } from 'pino';
import { LockstepError, errorCodeOf, errorMessageOf } from '../../schemas/errors.ts';
import { samplesSubject } from '../../schemas/subjects.ts';
import { SampleBlock, sampleBlockKey } from '../../schemas/telemetry.ts';
import { assertFreeSpace } from './free-space.ts';
import { LateSeals } from './late-seals.ts';
import { RunFolder } from './run-folder.ts';
import { leadingHead, parseBlock, recentHeads, SAMPLES_FILE } from './sample-lines.ts';
import type { BlockHead } from './sample-lines.ts';

/** Runs whose keys are kept in memory; the oldest are forgotten and read again when needed. */
const RUNS_IN_MEMORY_MAX = 64;

/** Keys of one run that are kept; an older block that comes again is dropped from the tables. */
const KEYS_MAX = 200_000;

/** How much of the end of a file is read for its keys, bytes: some thousand blocks. */
const TAIL_BYTES = 64 * 2 ** 20;

/** Longest text of a block, bytes; a line of samples.ndjson must be read again as a whole. */
export const BLOCK_BYTES_MAX = 48 * 2 ** 20;

const unpack = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);

/** A message with a block: gzip of its JSON. */
export interface SampleMessage {
  readonly subject: string;
  readonly data: Uint8Array;
}

interface OpenRun {
  readonly folder: RunFolder;
  readonly deviceIds: ReadonlySet<string>;
  /** Of the blocks that are on disk, the newest last. */
  readonly keys: Set<string>;
}

/**
 * Puts blocks of samples on disk, each once: one whose key is there already is dropped. After a
 * restart only the last keys are read again, not gigabytes; what is on disk twice for that, the
 * tables have once.
 */
export class SampleRecorder {
  readonly #dataFolder: string;
  readonly #logger: Logger;
  readonly #seals: LateSeals;
  readonly #runs = new Map<string, Promise<OpenRun>>();
  readonly #watchers = new Set<(head: BlockHead) => void>();
  #last: Promise<unknown> = Promise.resolve();

  /** @param seals shared with whoever else adds to the runs */
  constructor(dataFolder: string, logger: Logger, seals = new LateSeals(dataFolder, logger)) {
    this.#dataFolder = dataFolder;
    this.#logger = logger;
    this.#seals = seals;
  }

  /**
   * Records the block of a message; resolves with whether it was new. What is no block, not of the
   * device that sent it, or of a run that is not known here, is refused with a line in the log: it
   * would be no better another time.
   *
   * @throws LockstepError STORAGE_FULL or STORAGE_FAILED; the message may be given again later.
   */
  record(message: SampleMessage): Promise<boolean> {
    const done = this.#last.then(() => this.#take(message));
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Tells of every block that is newly on disk. Returns how to stop that. */
  watch(watcher: (head: BlockHead) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async #take({ subject, data }: SampleMessage): Promise<boolean> {
    try {
      const json = await unpackBlock(data, subject);
      const block = parseBlock(json, subject);
      if (subject !== samplesSubject(block.deviceId)) {
        throw refusal(`a block of ${block.deviceId} came on ${subject}`);
      }
      return await this.#write(block, json);
    } catch (error) {
      if (!REFUSED.has(errorCodeOf(error))) throw error;
      this.#logger.error({ subject, reason: errorMessageOf(error) }, 'samples refused');
      return false;
    }
  }

  async #write(block: SampleBlock, json: string): Promise<boolean> {
    const { runId, deviceId } = block;
    const run = await this.#open(runId);
    if (!run.deviceIds.has(deviceId)) throw refusal(`${deviceId} is no device of run ${runId}`);
    const key = sampleBlockKey(block);
    if (run.keys.has(key)) {
      this.#logger.debug({ key }, 'block is recorded already');
      return false;
    }
    // Results need the last space more.
    await assertFreeSpace(run.folder.folder);
    await run.folder.appendSamples(lineOf(block, json));
    remember(run.keys, key);
    await this.#seals.renew(runId);
    for (const watcher of this.#watchers) watcher(block);
    return true;
  }

  #open(runId: string): Promise<OpenRun> {
    const known = this.#runs.get(runId);
    if (known !== undefined) return known;
    const opening = openRun(RunFolder.of(this.#dataFolder, runId));
    this.#runs.set(runId, opening);
    const oldest = this.#runs.keys().next().value;
    if (this.#runs.size > RUNS_IN_MEMORY_MAX && oldest !== undefined) this.#runs.delete(oldest);
    // A failure to open (a full disk, say) must not stick.
    opening.catch(() => this.#runs.delete(runId));
    return opening;
  }
}

/** What another try would not change. */
const REFUSED = new Set(['MESSAGE_INVALID', 'PROTOCOL_UNSUPPORTED', 'NOT_FOUND']);

function refusal(message: string): LockstepError {
  return new LockstepError('MESSAGE_INVALID', message);
}

async function unpackBlock(data: Uint8Array, subject: string): Promise<string> {
  try {
    const bytes = await unpack(data, { maxOutputLength: BLOCK_BYTES_MAX });
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const why = errorMessageOf(cause);
    throw new LockstepError('MESSAGE_INVALID', `a block of ${subject} can't be unpacked: ${why}`, {
      cause,
    });
  }
}

/** The text as it came, if it is one line and its head comes first; else written anew. */
function lineOf(block: SampleBlock, json: string): string {
  const isLine =
    !/[\r\n]/.test(json) && leadingHead(Buffer.from(json.slice(0, 1024))) !== undefined;
  return isLine ? json : JSON.stringify(SampleBlock.encode(block));
}

function remember(keys: Set<string>, key: string): void {
  keys.add(key);
  const oldest = keys.values().next().value;
  if (keys.size > KEYS_MAX && oldest !== undefined) keys.delete(oldest);
}

async function openRun(folder: RunFolder): Promise<OpenRun> {
  const { devices } = await folder.readRun();
  await folder.healSamples();
  const heads = await recentHeads(folder.path(SAMPLES_FILE), TAIL_BYTES);
  return {
    folder,
    deviceIds: new Set(devices.map(({ presence }) => presence.deviceId)),
    keys: new Set(heads.slice(-KEYS_MAX).map(sampleBlockKey)),
  };
}
