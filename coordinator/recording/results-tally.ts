import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { ResultsFile } from '../../schemas/run.ts';
import { readChunks } from './line-reader.ts';
import { openRegular } from './regular-file.ts';

/** Length and digest of a results file, as `run.json` states them once the run ended. */
export type ResultsEnd = NonNullable<ResultsFile['end']>;

const LINE_END = 0x0a;

/** Bytes, lines and SHA-256 digest of a file that only grows; goes on where it stopped. */
export class ResultsTally {
  #hash: Hash = createHash('sha256');
  #bytes = 0;
  #lines = 0;

  /** Counts bytes that follow those so far. */
  add(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
    for (let end = chunk.indexOf(LINE_END); end !== -1; end = chunk.indexOf(LINE_END, end + 1)) {
      this.#lines += 1;
    }
  }

  /** Counts what a file has beyond the bytes so far; anew if it is shorter than that. */
  async readOn(path: string): Promise<void> {
    const file = await openRegular(path);
    if (file === undefined) {
      this.#reset();
      return;
    }
    try {
      if ((await file.stat()).size < this.#bytes) this.#reset();
      for await (const chunk of readChunks(file, this.#bytes)) this.add(chunk);
    } finally {
      await file.close();
    }
  }

  /** The tally so far. */
  get end(): ResultsEnd {
    return {
      bytes: this.#bytes,
      lines: this.#lines,
      digest: `sha256:${this.#hash.copy().digest('hex')}`,
    };
  }

  #reset(): void {
    this.#hash = createHash('sha256');
    this.#bytes = 0;
    this.#lines = 0;
  }
}

/** What was counted of the files of a run that only grow. */
export interface RunTallies {
  readonly results: ResultsTally;
  readonly samples: ResultsTally;
}

/** Tallies of nothing so far. */
export function newTallies(): RunTallies {
  return { results: new ResultsTally(), samples: new ResultsTally() };
}

/** How a file differs from what `run.json` states of it. */
export interface EndDifference {
  readonly message: string;
  /** True if it has less than is stated. */
  readonly isShort: boolean;
}

/** Follows a file that is read, and says whether it begins with what `run.json` states of it. */
export class EndComparison {
  readonly #stated: ResultsEnd | undefined;
  readonly #tally = new ResultsTally();
  #bytesSeen = 0;

  /** @param stated undefined if nothing is; then nothing is different */
  constructor(stated: ResultsEnd | undefined) {
    this.#stated = stated;
  }

  /** Bytes of the file, in order. */
  add(chunk: Buffer): void {
    const left = (this.#stated?.bytes ?? 0) - this.#bytesSeen;
    this.#bytesSeen += chunk.length;
    if (left > 0) this.#tally.add(chunk.subarray(0, left));
  }

  /** What is different. Undefined if nothing is; lines beyond the stated end are no difference. */
  difference(): EndDifference | undefined {
    const stated = this.#stated;
    const { bytes, lines, digest } = this.#tally.end;
    if (stated === undefined || digest === stated.digest) return undefined;
    if (bytes >= stated.bytes) {
      return {
        message: 'its content is not what it was when the run was recorded as ended',
        isShort: false,
      };
    }
    return {
      message:
        `has ${bytes} bytes and ${lines} whole lines; when the run was recorded as ended, it had ` +
        `${stated.bytes} bytes and ${stated.lines} lines`,
      isShort: true,
    };
  }
}
