import type { Plan } from '../../schemas/plan.ts';
import { groupBy } from './measured-result.ts';
import { information } from './note.ts';
import { rankCorrelation } from './rank-correlation.ts';
import type { CellSummary, Note, RunSummary } from './run-summary.ts';
import { autocorrelation } from './statistics/autocorrelation.ts';
import { kruskalWallis } from './statistics/kruskal-wallis.ts';
import { holmAdjust } from './statistics/multiple-comparisons.ts';
import { normalCdf } from './statistics/normal.ts';
import { trialSeries } from './trial-series.ts';
import type { SeriesPoint } from './trial-series.ts';

/** Chance of a note of one kind, in a whole run, where order and time play no part. */
const LEVEL = 0.01;

/** Fewer trials make no trend. */
const TRIALS_MIN = 10;

/** A weaker correlation of neighbours hardly changes an interval. */
const AUTOCORRELATION_MIN = 0.3;

/** Longer series are thinned, or cut where neighbours count: more trials would find any trifle. */
const TRIALS_MAX = 20_000;

/** What a test says of one cell. */
interface Finding {
  readonly cell: CellSummary;
  readonly pValue: number;
  readonly note: () => Note;
}

/** One cell as it went through the run. */
interface CellSeries {
  readonly cell: CellSummary;
  readonly series: readonly SeriesPoint[];
}

/**
 * Notes on whether the order of the trials shows in their values: a drift over the run, an effect
 * of the cell before or of the place within the block, and values that follow their neighbours. Of
 * each kind, p values are corrected by Holm over the cells, and told from 1 % on.
 */
export function orderNotes(
  { cells, metric }: Pick<RunSummary, 'cells' | 'metric'>,
  plan: Plan,
): Note[] {
  const whole = cells.map((cell) => ({ cell, series: trialSeries(cell.units) }));
  const all = whole.map(({ cell, series }) => ({ cell, series: thin(series) }));
  const before = new Map(plan.trials.map(({ position, cell }) => [position + 1, cell.id]));
  const places = placesOf(plan);
  return [
    ...told(all.flatMap((one) => driftFinding(one, metric))),
    ...told(all.flatMap((one) => effectFinding(one, 'the cell before it', (at) => before.get(at)))),
    ...told(
      all.flatMap((one) =>
        effectFinding(one, 'its place within the repetition', (at) => places.get(at)),
      ),
    ),
    ...told(whole.flatMap(dependenceFinding)),
  ];
}

function thin(series: readonly SeriesPoint[]): readonly SeriesPoint[] {
  const step = Math.ceil(series.length / TRIALS_MAX);
  return step <= 1 ? series : series.filter((_, index) => index % step === 0);
}

function told(findings: readonly Finding[]): Note[] {
  const adjusted = holmAdjust(findings.map(({ pValue }) => pValue));
  return findings
    .filter((_, index) => (adjusted[index] ?? 1) < LEVEL)
    .map((finding) => finding.note());
}

/** In which third of its repetition each position lies: single places would be too many. */
function placesOf({ trials }: Plan): Map<number, string> {
  const places = new Map<number, string>();
  for (const block of groupBy(trials, ({ repetition }) => String(repetition)).values()) {
    const positions = block.map(({ position }) => position).sort((a, b) => a - b);
    if (positions.length < 3) continue;
    positions.forEach((position, index) => {
      const third = Math.floor((3 * index) / positions.length);
      places.set(position, ['first', 'second', 'last'][third] ?? '');
    });
  }
  return places;
}

function driftFinding({ cell, series }: CellSeries, metric: RunSummary['metric']): Finding[] {
  const rho = rankCorrelation(series.map(({ position, level }) => [position, level]));
  if (series.length < TRIALS_MIN || rho === undefined) return [];
  const [rises, falls] = metric === 'lateness' ? ['later', 'earlier'] : ['slower', 'faster'];
  const note = () =>
    information(
      'drift',
      `${cell.cell.id} became ${rho > 0 ? rises : falls} while the run went on (rank ` +
        `correlation with the position ${rho.toFixed(2)}).`,
      'Look for warming devices or filling caches; randomised blocks keep it off single cells.',
    );
  // The normal approximation of Spearman's rho; its variance is 1 / (n - 1).
  return [{ cell, pValue: 2 * normalCdf(-Math.abs(rho) * Math.sqrt(series.length - 1)), note }];
}

function effectFinding(
  { cell, series }: CellSeries,
  what: string,
  groupOf: (position: number) => string | undefined,
): Finding[] {
  const known = series.flatMap(({ position, level }) => {
    const group = groupOf(position);
    return group === undefined ? [] : [{ group, level }];
  });
  if (known.length < TRIALS_MIN) return [];
  const groups = groupBy(known, ({ group }) => group);
  const pValue = kruskalWallis([...groups.values()].map((own) => own.map(({ level }) => level)));
  if (pValue === undefined) return [];
  const means = [...groups]
    .map(([group, own]) => ({
      group,
      mean: own.reduce((sum, { level }) => sum + level, 0) / own.length,
    }))
    .sort((left, right) => left.mean - right.mean);
  const [least, most] = [means[0]?.group ?? '', means.at(-1)?.group ?? ''];
  const note = () =>
    information(
      'order-effect',
      `${cell.cell.id} depends on ${what}: least with ${least}, most with ${most} ` +
        `(Kruskal-Wallis test, p ${pValue < 0.001 ? '< 0.001' : `= ${pValue.toPrecision(2)}`}).`,
      'Let devices rest longer between trials; randomised blocks spread it over all cells.',
    );
  return [{ cell, pValue, note }];
}

function dependenceFinding({ cell, series }: CellSeries): Finding[] {
  const found = autocorrelation(series.slice(0, TRIALS_MAX).map(({ level }) => level));
  if (found === undefined) return [];
  const { lag1, pValue, effectiveSize } = found;
  const effect =
    lag1 > 0
      ? `the ${series.length} trials tell as much as about ${effectiveSize.toFixed(0)} ` +
        'independent ' +
        'ones, so intervals are too narrow'
      : 'high and low alternate, so intervals are too wide';
  const note = () =>
    information(
      'autocorrelation',
      `${cell.cell.id}: each value follows the one before it (rank correlation ` +
        `${lag1.toFixed(2)}); ${effect}.`,
      'Look for what changes slowly, such as temperature or caches; spread trials over more time.',
    );
  // A weak correlation counts among the tests, and is not told.
  return [{ cell, pValue: Math.abs(lag1) < AUTOCORRELATION_MIN ? 1 : pValue, note }];
}
