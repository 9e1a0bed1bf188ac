import assert from 'node:assert';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { MetricDefinition } from '../../schemas/telemetry-names.ts';
import { SAMPLED_METRICS } from '../../schemas/telemetry-names.ts';
import { ByteScan, KeyedIntegers } from './byte-scan.ts';
import type { KeyAndDivisor } from './byte-scan.ts';
import type {
  DeferredReading,
  FastSource,
  RateLimit,
  ReadOutcome,
  SeriesIdentity,
  Unavailable,
} from './collector.ts';
import { KeptFile } from './kept-file.ts';
import type { KeptFileOptions } from './kept-file.ts';
import { TEXTS_PER_READING_MAX, TextStore } from './text-store.ts';

/**
 * Turns a text into values, and does nothing else: no reading, no state that outlives a call.
 *
 * @param scan at the beginning of the text
 * @param row takes a value per series, from the place `at` on; NaN where the text has none.
 */
export type ParseText = (scan: ByteScan, row: Float64Array, at: number) => void;

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
 * Opens a source that is a few files of the kernel, 8 at most, each with its parser. A file that is
 * missing is left out with its series.
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
    if (reason === undefined) return [{ part, file }];
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

interface OpenedPart {
  readonly part: FilePart;
  readonly file: KeptFile;
}

/** What a reading needs of a part, in one form for all, so that the loop stays fast. */
interface ReadPart {
  readonly file: KeptFile;
  readonly mayEnd: boolean;
  readonly parse: ParseText;
  readonly at: number;
}

/** The texts of a reading that is parsed at once. */
const AT_ONCE = new TextStore(0, 0);

const SCAN = new ByteScan();

class FileSource implements FastSource, DeferredReading {
  readonly pace = 'fast';
  readonly series: readonly SeriesIdentity[];
  readonly limit?: RateLimit;
  readonly deferred = this;
  readonly #parts: readonly ReadPart[];
  readonly #combine: ((row: Float64Array) => void) | undefined;
  // Per series the highest so far, or NaN for those that may fall. Undefined: all may.
  readonly #highest: Float64Array | undefined;

  constructor(opened: readonly OpenedPart[], options: FileSourceOptions) {
    assert(opened.length <= TEXTS_PER_READING_MAX, 'a source has too many files');
    this.series = opened.flatMap(({ part }) => part.series);
    if (options.limit !== undefined) this.limit = options.limit;
    this.#combine = options.combine;
    let at = 0;
    this.#parts = opened.map(({ part: { series, parse, mayEnd = false }, file }) => {
      const place = at;
      at += series.length;
      return { file, mayEnd, parse, at: place };
    });
    const highest = opened.flatMap(({ part }) =>
      part.series.map((series) =>
        part.stepsBack === true && isCounter(series) ? -Infinity : Number.NaN,
      ),
    );
    this.#highest = highest.every(Number.isNaN) ? undefined : Float64Array.from(highest);
  }

  read(row: Float64Array): ReadOutcome {
    AT_ONCE.keep(0);
    AT_ONCE.seek(0);
    const outcome = this.take(AT_ONCE);
    if (outcome === 'read') this.parse(AT_ONCE, row);
    return outcome;
  }

  take(texts: TextStore): ReadOutcome {
    let outcome: ReadOutcome = 'absent';
    for (const { file, mayEnd } of this.#parts) {
      const length = file.read(texts.bytes, texts.end);
      if (length === 'ended' && !mayEnd) return 'ended';
      const isText = typeof length === 'number';
      texts.add(isText ? length : undefined);
      if (isText) outcome = 'read';
    }
    return outcome;
  }

  parse(texts: TextStore, row: Float64Array): boolean {
    row.fill(Number.NaN);
    for (const { parse, at } of this.#parts) {
      if (texts.scanNext(SCAN)) parse(SCAN, row, at);
    }
    this.#combine?.(row);
    if (this.#highest !== undefined) holdCounters(row, this.#highest);
    return true;
  }

  close(): void {
    for (const { file } of this.#parts) file.close();
  }
}

function holdCounters(row: Float64Array, highest: Float64Array): void {
  for (let place = 0; place < highest.length; place += 1) {
    const before = highest[place] ?? Number.NaN;
    const value = row[place] ?? Number.NaN;
    if (value > before) highest[place] = value;
    else if (value < before) row[place] = before;
  }
}

function isCounter({ metric }: SeriesIdentity): boolean {
  const definition: MetricDefinition = SAMPLED_METRICS[metric];
  return definition.kind === 'counter';
}

/** The parser of a file of one number, which is divided to come to the unit of its metric. */
export function oneNumber(divisor = 1): ParseText {
  return (scan, row, at) => {
    row[at] = scan.integer() / divisor;
  };
}

/** The parser of a file of keys and numbers, with a value per key. */
export function keyedNumbers(keys: readonly KeyAndDivisor[]): ParseText {
  const integers = new KeyedIntegers(keys);
  return (scan, row, at) => {
    integers.parse(scan, row, at);
  };
}
