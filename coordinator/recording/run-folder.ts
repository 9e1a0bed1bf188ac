import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, open, readFile, readdir, rename, truncate } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { Plan } from '../../schemas/plan.ts';
import { decodeMessage } from '../../schemas/protocol.ts';
import { TrialResult } from '../../schemas/result.ts';
import { LedgerEvent, Run } from '../../schemas/run.ts';

/** Largest results file that is read at once, bytes. */
const RESULTS_BYTES_MAX = 2 ** 31;

/** Everything that a run's folder holds. */
export interface RunRecord {
  readonly run: Run;
  readonly plan: Plan | undefined;
  readonly results: TrialResult[];
}

/**
 * The folder of one run: plain files that stand alone. `run.json` and `plan.json` are replaced as
 * a whole; `results.ndjson` and `events.ndjson` only grow. Whoever reads them needs nothing else.
 */
export class RunFolder {
  readonly folder: string;
  /** Files whose last line may be torn, since adding to them failed. */
  readonly #torn = new Set<string>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The folder of a run below a data folder. */
  static of(dataFolder: string, runId: string): RunFolder {
    return new RunFolder(join(dataFolder, 'runs', runId));
  }

  /** The ids of all runs below a data folder, newest first. Empty if there is none yet. */
  static async list(dataFolder: string): Promise<string[]> {
    try {
      const names = await readdir(join(dataFolder, 'runs'), { withFileTypes: true });
      return names
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
        .toSorted((left, right) => startedPart(right).localeCompare(startedPart(left)));
    } catch (error) {
      if (isMissing(error)) return [];
      throw storageError(error, `cannot list ${join(dataFolder, 'runs')}`);
    }
  }

  /** A file of the folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Replaces `run.json`. */
  async writeRun(run: Run): Promise<void> {
    await this.#replace('run.json', Run.encode(run));
  }

  /** Replaces `plan.json`. */
  async writePlan(plan: Plan): Promise<void> {
    await this.#replace('plan.json', Plan.encode(plan));
  }

  /** Writes a text file of the folder as a whole. */
  async writeText(name: string, text: string): Promise<void> {
    await this.#guard(name, async () => {
      await mkdir(this.folder, { recursive: true });
      await replaceFile(this.path(name), text);
    });
  }

  /** Adds results; resolves when they are on disk. */
  async appendResults(results: readonly TrialResult[]): Promise<void> {
    const lines = results.map((result) => JSON.stringify(TrialResult.encode(result)));
    await this.#append('results.ndjson', lines);
  }

  /** Adds a ledger event. */
  async appendEvent(event: LedgerEvent): Promise<void> {
    await this.#append('events.ndjson', [JSON.stringify(LedgerEvent.encode(event))]);
  }

  /** @throws LockstepError NOT_FOUND if there is no such run. */
  async readRun(): Promise<Run> {
    return this.#read('run.json', Run);
  }

  /** Everything of the run. The plan is absent if the run ended before it was made. */
  async read(): Promise<RunRecord> {
    const run = await this.readRun();
    let plan: Plan | undefined;
    try {
      plan = await this.#read('plan.json', Plan);
    } catch (error) {
      if (!(error instanceof LockstepError) || error.code !== 'NOT_FOUND') throw error;
    }
    return { run, plan, results: await this.readResults() };
  }

  /** All results so far. A torn last line, from a crash while it was written, does not count. */
  async readResults(): Promise<TrialResult[]> {
    return this.#readLines('results.ndjson', TrialResult);
  }

  /** The ledger so far, as {@link readResults}. */
  async readEvents(): Promise<LedgerEvent[]> {
    return this.#readLines('events.ndjson', LedgerEvent);
  }

  /** Cuts a torn last line off, so that what is added next begins on a line of its own. */
  async heal(): Promise<void> {
    for (const name of ['results.ndjson', 'events.ndjson']) {
      await this.#guard(name, () => cutTornLine(this.path(name)));
    }
  }

  async #readLines<S extends z.ZodType>(name: string, schema: S): Promise<z.output<S>[]> {
    let text: string;
    try {
      text = await readFile(this.path(name), 'utf8');
    } catch (error) {
      if (isMissing(error)) return [];
      throw storageError(error, `cannot read ${this.path(name)}`);
    }
    const complete = text.slice(0, text.lastIndexOf('\n') + 1);
    return complete
      .split('\n')
      .filter((line) => line !== '')
      .map((line, index) => decodeMessage(schema, JSON.parse(line), `${name} line ${index + 1}`));
  }

  async #read<S extends z.ZodType>(name: string, schema: S): Promise<z.output<S>> {
    let text: string;
    try {
      text = await readFile(this.path(name), 'utf8');
    } catch (error) {
      if (isMissing(error)) {
        throw new LockstepError('NOT_FOUND', `there is no ${this.path(name)}`, {
          hint: 'List the runs with: lockstep runs',
        });
      }
      throw storageError(error, `cannot read ${this.path(name)}`);
    }
    return decodeMessage(schema, JSON.parse(text), this.path(name));
  }

  async #replace(name: string, value: unknown): Promise<void> {
    await this.writeText(name, `${JSON.stringify(value, null, 2)}\n`);
  }

  async #append(name: string, lines: readonly string[]): Promise<void> {
    await this.#guard(name, async () => {
      await mkdir(this.folder, { recursive: true });
      // A full disk takes a part of a line; what comes next must not continue it.
      if (this.#torn.has(name)) await cutTornLine(this.path(name));
      this.#torn.delete(name);
      const text = lines.map((line) => `${line}\n`).join('');
      try {
        await appendFile(this.path(name), text, { flush: true });
      } catch (error) {
        this.#torn.add(name);
        throw error;
      }
    });
  }

  async #guard(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw storageError(error, `cannot write ${this.path(name)}`);
    }
  }
}

/** Maps an error of the file system to STORAGE_FULL or STORAGE_FAILED. */
export function storageError(cause: unknown, what: string): LockstepError {
  if (cause instanceof LockstepError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new LockstepError('STORAGE_FULL', `${what}: the disk is full`, {
      cause,
      hint: 'Free some space; what was reported so far is kept.',
    });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LockstepError('STORAGE_FAILED', `${what}: ${reason}`, { cause });
}

/** The part of a run id that names its start, for sorting. */
function startedPart(runId: string): string {
  return /\d{8}-\d{6}.*$/.exec(runId)?.[0] ?? runId;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  const file = await open(temporary, 'w', 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

async function cutTornLine(path: string): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  let keepBytes: number;
  let sizeBytes: number;
  try {
    sizeBytes = (await file.stat()).size;
    if (sizeBytes > RESULTS_BYTES_MAX) return;
    keepBytes = (await file.readFile()).lastIndexOf(0x0a) + 1;
  } finally {
    await file.close();
  }
  if (keepBytes !== sizeBytes) await truncate(path, keepBytes);
}
