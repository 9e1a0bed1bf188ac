import { formatMs } from './format-ms.ts';
import { groupBy } from './measured-result.ts';
import { counted, information, warning } from './note.ts';
import type { CellSummary, Note, RunSummary, Unit } from './run-summary.ts';
import { FENCE_QUARTILE_RANGES } from './statistics/fences.ts';
import { modality } from './statistics/modality.ts';
import type { Modality } from './statistics/modality.ts';
import { holmAdjust } from './statistics/multiple-comparisons.ts';
import { quickMedian } from './statistics/quick-median.ts';
import { valueFlags } from './value-flags.ts';
import type { ValueFlag } from './value-flags.ts';

/** Fewer values than this have no 95 % interval of their median, whatever they are. */
const UNITS_MIN = 6;

/** So many cells with too few values are named; the rest is counted. */
const CELLS_NAMED_MAX = 8;

/** So many far-out values of a cell are named; the rest is counted. */
const FLAGS_NAMED_MAX = 10;

/** Chance of a note on modes, in a whole run, where every cell has one. */
const MODES_LEVEL = 0.01;

/** Notes on the values themselves: too few, far out, or in several groups. */
export function distributionNotes({ cells }: Pick<RunSummary, 'cells'>): Note[] {
  const notes: Note[] = [];
  const few = cells.filter(({ units }) => units.length > 0 && units.length < UNITS_MIN);
  if (few.length > 0) {
    const named = few.slice(0, CELLS_NAMED_MAX);
    const more = few.length - named.length;
    notes.push(
      warning(
        'too-few-repetitions',
        `${counted(few.length, 'cell')} with fewer than ${UNITS_MIN} values have no 95 % ` +
          `interval: ${named.map(({ cell, units }) => `${cell.id} (${units.length})`).join(', ')}` +
          `${more > 0 ? ` and ${more} more` : ''}.`,
        `Set repetitions to ${UNITS_MIN} or more; 20 or more for a p95 that is not the maximum.`,
      ),
    );
  }
  return [...notes, ...cells.flatMap(outlierNote), ...modeNotes(cells)];
}

function outlierNote({ cell, units }: CellSummary): Note[] {
  const far = valueFlags(units);
  if (far.length === 0) return [];
  const named = far.slice(0, FLAGS_NAMED_MAX).map(flagText);
  const more = far.length - named.length;
  return [
    information(
      'outliers',
      `${cell.id}: ${counted(far.length, 'value')} far out (beyond ${FENCE_QUARTILE_RANGES} ` +
        `quartile ranges on its host): ${named.join(', ')}` +
        `${more > 0 ? ` and ${more} more` : ''}. ` +
        'Kept in every figure.',
      'Look at these trials in the CSV, and at what the device saw then, before you explain them.',
    ),
  ];
}

function flagText({ trialId, host, valueNs }: ValueFlag): string {
  return `${trialId} on ${host} ${formatMs(valueNs)} ms`;
}

function modeNotes(cells: readonly CellSummary[]): Note[] {
  const tested = cells.flatMap(({ cell, units }) => {
    const found = modality(withoutHosts(units));
    return found === undefined ? [] : [{ cell, found }];
  });
  const adjusted = holmAdjust(tested.map(({ found }) => found.pValue));
  return tested
    .filter((_, index) => (adjusted[index] ?? 1) < MODES_LEVEL)
    .map(({ cell, found }) =>
      warning(
        'several-modes',
        `${cell.id} has more than one mode: ${modesText(found)} (dip test, p ` +
          `${found.pValue < 0.001 ? '< 0.001' : `= ${found.pValue.toPrecision(1)}`}). The median ` +
          'describes neither group.',
        'Find what the groups differ in (cold or warm cache, place in the order, device) and ' +
          'make ' +
          'it a factor; report the groups, or the whole distribution.',
      ),
    );
}

/** About where the modes lie and how large they are. */
function modesText({ modes }: Modality): string {
  return modes
    .map(({ centre, share }) => `${(100 * share).toFixed(0)} % around ${formatMs(centre)} ms`)
    .join(', ');
}

/** Values as if all hosts had the same median: hosts of different speed are no modes. */
function withoutHosts(units: readonly Unit[]): number[] {
  const overall = quickMedian(units.map(({ valueNs }) => valueNs));
  return [...groupBy(units, ({ host }) => host).values()].flatMap((own) => {
    const values = own.map(({ valueNs }) => valueNs);
    const median = quickMedian(values.slice());
    const isScaled = overall > 0 && median > 0;
    return values.map((value) =>
      isScaled ? (value * overall) / median : value - median + overall,
    );
  });
}
