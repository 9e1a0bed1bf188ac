import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { MetricDefinition } from '../../schemas/telemetry-names.ts';
import { SAMPLED_METRICS } from '../../schemas/telemetry-names.ts';
import { ByteScan, KeyedIntegers } from './byte-scan.ts';
import type { KeyAndDivisor } from './byte-scan.ts';
import type {
  FastSource,
  RateLimit,
  ReadOutcome,
  SeriesIdentity,
  Unavailable,
} from './collector.ts';
import { KeptFile, TEXT } from './kept-file.ts';
import type { KeptFileOptions } from './kept-file.ts';

/**
 * Turns a text into values, and does nothing else: no reading, no state that outlives a call.
 *
 * @param row takes a value per series, from the place `at` on; NaN where the text has none.
 */
export type ParseText = (text: Uint8Array, length: number, row: Float64Array, at: number) => void;

/** One file of a source, and what is in it. */
export interface FilePart extends KeptFileOptions {
  readonly path: string;
  readonly series: readonly SeriesIdentity[];
  readonly parse: ParseText;
  /**
   * True if its counters come from figures that the kernel reads one after the other, so that a
   * difference or a sum of them may step back for a moment. They are kept at their highest then.
   */
  readonly stepsBack?: boolean;
  /** True if what it tells of may go for good while the rest of the source stays. */
  readonly mayEnd?: boolean;
}

/** What else is known of a source of files. */
export interface FileSourceOptions {
  readonly limit?: RateLimit;
  /**
   * True if the folder of the files may be made later, as that of a container which starts later:
   * its files are awaited then.
   */
  readonly mayComeLater?: boolean;
  /** What would make the files available. */
  readonly remedy?: string;
  /** Changes a row that was read, such as to take a difference of what two files told. */
  readonly combine?: (row: Float64Array) => void;
}

/**
 * Opens a source that is a few files of the kernel, each with its parser. A file that is missing is
 * left out with its series.
 */
export function openFiles(
  parts: readonly FilePart[],
  options: FileSourceOptions = {},
): FastSource | Unavailable {
  const reasons: string[] = [];
  const opened = parts.flatMap((part) => {
    const file = new KeptFile(part.path, part);
    const isAwaited = options.mayComeLater === true && !existsSync(dirname(part.path));
    const reason = isAwaited ? undefined : file.open();
    if (reason === undefined) return [{ ...part, file }];
    reasons.push(reason);
    return [];
  });
  if (opened.length > 0) return new FileSource(opened, options);
  const { remedy } = options;
  return {
    unavailable: reasons[0] ?? 'there is no file to read',
    ...(remedy === undefined ? {} : { remedy }),
  };
}

type OpenedPart = FilePart & { readonly file: KeptFile };

class FileSource implements FastSource {
  readonly pace = 'fast';
  readonly series: readonly SeriesIdentity[];
  readonly limit?: RateLimit;
  readonly #parts: readonly (OpenedPart & { readonly at: number })[];
  readonly #combine: ((row: Float64Array) => void) | undefined;
  // Per series the highest so far, or NaN for those that may fall.
  readonly #highest: Float64Array;

  constructor(parts: readonly OpenedPart[], options: FileSourceOptions) {
    this.series = parts.flatMap((part) => part.series);
    if (options.limit !== undefined) this.limit = options.limit;
    this.#combine = options.combine;
    let at = 0;
    this.#parts = parts.map((part) => {
      const place = at;
      at += part.series.length;
      return { ...part, at: place };
    });
    this.#highest = Float64Array.from(
      parts.flatMap((part) =>
        part.series.map((series) =>
          part.stepsBack === true && isCounter(series) ? -Infinity : Number.NaN,
        ),
      ),
    );
  }

  read(row: Float64Array): ReadOutcome {
    row.fill(Number.NaN);
    let outcome: ReadOutcome = 'absent';
    for (const part of this.#parts) {
      const length = part.file.read();
      if (length === 'ended' && part.mayEnd !== true) return 'ended';
      if (typeof length !== 'number') continue;
      part.parse(TEXT, length, row, part.at);
      outcome = 'read';
    }
    if (outcome === 'read') {
      this.#combine?.(row);
      this.#holdCounters(row);
    }
    return outcome;
  }

  close(): void {
    for (const part of this.#parts) part.file.close();
  }

  #holdCounters(row: Float64Array): void {
    const highest = this.#highest;
    for (let place = 0; place < highest.length; place += 1) {
      const before = highest[place] ?? Number.NaN;
      const value = row[place] ?? Number.NaN;
      if (value > before) highest[place] = value;
      else if (value < before) row[place] = before;
    }
  }
}

function isCounter({ metric }: SeriesIdentity): boolean {
  const definition: MetricDefinition = SAMPLED_METRICS[metric];
  return definition.kind === 'counter';
}

/** The parser of a file of one number, which is divided to come to the unit of its metric. */
export function oneNumber(divisor = 1): ParseText {
  const scan = new ByteScan();
  return (text, length, row, at) => {
    scan.begin(text, length);
    row[at] = scan.integer() / divisor;
  };
}

/** The parser of a file of keys and numbers, with a value per key. */
export function keyedNumbers(keys: readonly KeyAndDivisor[]): ParseText {
  const integers = new KeyedIntegers(keys);
  return (text, length, row, at) => {
    integers.parse(text, length, row, at);
  };
}
