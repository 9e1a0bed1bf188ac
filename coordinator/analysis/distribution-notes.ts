import { formatMs } from './format-ms.ts';
import { quantile } from './quantile.ts';
import { rankCorrelation } from './rank-correlation.ts';
import { counted, information, warning } from './note.ts';
import type { CellSummary, Note, RunSummary, Unit } from './run-summary.ts';

/** Fewer values than this have no 95 % interval of their median, whatever they are. */
const UNITS_MIN = 6;

/** The far-out fences of Tukey, "Exploratory Data Analysis", 1977: 3 quartile ranges beyond. */
const FENCE_QUARTILE_RANGES = 3;

/** Fewer values than this make neither quartiles nor a trend. */
const UNITS_FOR_SHAPE = 10;

/** |rho| sqrt(n-1) beyond this has a probability of 0.5 % where there is no trend. */
const DRIFT_Z = 2.81;

/** Notes on the values themselves: too few, far out, or drifting while the run went on. */
export function distributionNotes({ cells, metric }: Pick<RunSummary, 'cells' | 'metric'>): Note[] {
  const notes: Note[] = [];
  const few = cells.filter(({ units }) => units.length > 0 && units.length < UNITS_MIN);
  if (few.length > 0) {
    notes.push(
      warning(
        'too-few-repetitions',
        `${counted(few.length, 'cell')} with fewer than ${UNITS_MIN} values have no 95 % ` +
          `interval: ${few.map(({ cell, units }) => `${cell.id} (${units.length})`).join(', ')}.`,
        `Set repetitions to ${UNITS_MIN} or more; 20 or more for a p95 that is not the maximum.`,
      ),
    );
  }
  for (const cell of cells) notes.push(...outlierNote(cell), ...driftNote(cell, metric));
  return notes;
}

function outlierNote({ cell, units }: CellSummary): Note[] {
  const values = units.map(({ valueNs }) => valueNs);
  const lower = quantile(values, 0.25);
  const upper = quantile(values, 0.75);
  if (values.length < UNITS_FOR_SHAPE || lower === undefined || upper === undefined) return [];
  const margin = FENCE_QUARTILE_RANGES * (upper - lower);
  const far = units.filter(({ valueNs }) => valueNs > upper + margin || valueNs < lower - margin);
  if (far.length === 0) return [];
  return [
    information(
      'outliers',
      `${cell.id}: ${counted(far.length, 'value')} far out (beyond ${FENCE_QUARTILE_RANGES} ` +
        `quartile ranges): ${far.map(unitText).join(', ')}. Kept in every figure.`,
      'Look at these trials in the CSV before you explain them.',
    ),
  ];
}

function driftNote({ cell, units }: CellSummary, metric: RunSummary['metric']): Note[] {
  const pairs = units.flatMap(({ position, valueNs }): [number, number][] =>
    position === undefined ? [] : [[position, valueNs]],
  );
  const rho = rankCorrelation(pairs);
  if (pairs.length < UNITS_FOR_SHAPE || rho === undefined) return [];
  if (Math.abs(rho) * Math.sqrt(pairs.length - 1) < DRIFT_Z) return [];
  const [rises, falls] = metric === 'lateness' ? ['later', 'earlier'] : ['slower', 'faster'];
  return [
    information(
      'drift',
      `${cell.id} became ${rho > 0 ? rises : falls} while the run went on (rank ` +
        `correlation with the position ${rho.toFixed(2)}).`,
      'Look for warming devices or filling caches; randomised blocks keep it off single cells.',
    ),
  ];
}

function unitText({ trialId, valueNs }: Unit): string {
  return `${trialId} ${formatMs(valueNs)} ms`;
}
