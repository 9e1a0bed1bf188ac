import { constants } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import type {
  OpenedSource,
  Reading,
  Roots,
  SandboxCollector,
  SandboxTarget,
  SlowSource,
} from './collector.ts';
import { FirecrackerSums } from './firecracker-metrics.ts';
import { findProcessWithFile, processesUnknown, readSandboxProcesses } from './vmm-process.ts';

/**
 * What Firecracker writes of itself into its metrics file. Written after its documented format; no
 * Firecracker has run with it yet.
 */
export const firecracker: SandboxCollector = { source: 'firecracker', open };

function open(target: SandboxTarget, roots: Roots): OpenedSource {
  const metricsFile = target.vmm?.metricsFile;
  if (metricsFile === undefined) return { unavailable: 'the sandbox does not run in Firecracker' };
  const unknown = processesUnknown(target);
  if (unknown !== undefined) return { unavailable: unknown };
  return new FirecrackerMetrics(target, roots, metricsFile);
}

const CHUNK_BYTES = 64 * 1024;
const CHUNKS_MAX = 16;
const LINE_CHARACTERS_MAX = 256 * 1024;

class FirecrackerMetrics implements SlowSource {
  readonly pace = 'slow';
  readonly limit = {
    hz: 1,
    reason: 'Firecracker writes its metrics once a minute, and when it is asked to',
  };
  readonly #target: SandboxTarget;
  readonly #roots: Roots;
  readonly #path: string;
  readonly #sums = new FirecrackerSums();
  readonly #decoder = new StringDecoder('utf8');
  readonly #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  // Kept open, so that what is written in the end can be read when the process has gone.
  #file: FileHandle | undefined;
  #position = 0;
  #rest = '';

  constructor(target: SandboxTarget, roots: Roots, path: string) {
    this.#target = target;
    this.#roots = roots;
    this.#path = path;
  }

  async read(): Promise<readonly Reading[] | 'absent' | 'ended'> {
    this.#file ??= await this.#openIfThere();
    if (this.#file === undefined) return 'absent';
    const isOver = readSandboxProcesses(this.#target).length === 0;
    const lines = await this.#readOn(this.#file);
    for (const line of lines) this.#add(line);
    if (lines.length > 0) return this.#sums.readings();
    // Nothing new: what was read before is not read again as if it were of now.
    return isOver ? 'ended' : 'absent';
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #openIfThere(): Promise<FileHandle | undefined> {
    const processId = findProcessWithFile(this.#target, this.#roots, this.#path);
    if (processId === undefined) return undefined;
    // A pipe has one reader, who would wait here for its writer.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    const file = await openFile(join(this.#roots.proc, processId, 'root', this.#path), flags);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw new LockstepError('SANDBOX_FAILED', `${this.#path} of Firecracker is no regular file`, {
      hint: 'let Firecracker write its metrics into a file and not into a pipe',
    });
  }

  async #readOn(file: FileHandle): Promise<string[]> {
    for (let count = 0; count < CHUNKS_MAX; count += 1) {
      const { bytesRead } = await file.read(this.#chunk, 0, CHUNK_BYTES, this.#position);
      if (bytesRead === 0) break;
      this.#position += bytesRead;
      this.#rest += this.#decoder.write(this.#chunk.subarray(0, bytesRead));
    }
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LINE_CHARACTERS_MAX) {
      throw new LockstepError('SANDBOX_FAILED', `${this.#path} has a line that does not end`);
    }
    return lines.filter((line) => line !== '');
  }

  #add(line: string): void {
    try {
      this.#sums.add(line);
    } catch (cause) {
      throw new LockstepError(
        'SANDBOX_FAILED',
        `${this.#path} has a line that is none of Firecracker's: ${errorMessageOf(cause)}`,
        { cause },
      );
    }
  }
}
