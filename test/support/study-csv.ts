import { FastRandom } from '../../coordinator/analysis/statistics/fast-random.ts';

/** A cold-start file of the study's form, with typical times. */
export interface StudyCsvOptions {
  readonly seed: number;
  readonly rowsPerCell?: number;
  /** sorted: by sandbox, as the study published it. cycle: as it was measured. */
  readonly order?: 'sorted' | 'cycle';
}

/** Typical times through the gateway, s, with how much they spread. */
const CELLS = [
  ['nanos', 'go', 0.11, 0.15],
  ['linux', 'go', 0.39, 0.04],
  ['docker', 'go', 0.36, 0.06],
  ['gvisor', 'node', 0.75, 0.06],
] as const;

/** The lines of such a file, without the header: target,language,time in steps of 0.1 ms. */
export function coldStartLines({ seed, rowsPerCell = 100, order }: StudyCsvOptions): string[] {
  const random = new FastRandom(seed);
  const line = (cell: (typeof CELLS)[number]): string => {
    const [target, language, typicalSeconds, spread] = cell;
    const seconds = typicalSeconds * Math.exp(spread * random.nextNormal());
    return `${target},${language},${seconds.toFixed(4)}`;
  };
  const repetitions = Array.from({ length: rowsPerCell });
  return order === 'cycle'
    ? repetitions.flatMap(() => CELLS.map(line))
    : CELLS.flatMap((cell) => repetitions.map(() => line(cell)));
}

/** The same as a text. */
export function coldStartCsv(options: StudyCsvOptions): string {
  return ['target,language,time', ...coldStartLines(options), ''].join('\n');
}
