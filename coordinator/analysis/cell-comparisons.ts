import { hostRatio } from './host-ratio.ts';
import { groupBy } from './measured-result.ts';
import type { CellSummary, RunSummary } from './run-summary.ts';
import type { BootstrapOptions } from './statistics/bootstrap.ts';
import { effectSize } from './statistics/effect-size.ts';
import type { EffectSize } from './statistics/effect-size.ts';
import { ratioCaution } from './statistics/interval-trust.ts';
import { holmAdjust } from './statistics/multiple-comparisons.ts';
import { rankSumTest } from './statistics/rank-sum-test.ts';
import type { MedianRatio } from './statistics/ratio-interval.ts';

/** Two kinds of sandbox in one run, under the same function and number of instances. */
export interface SandboxComparison {
  readonly function: string;
  readonly instances: number;
  /** The sandbox that is compared with. */
  readonly baseline: string;
  readonly sandbox: string;
  /** Independent values of the baseline and of the sandbox: trials on hosts. */
  readonly n: readonly [number, number];
  /** Hosts that gave a value to either. */
  readonly hosts: number;
  readonly mediansNs: readonly [number | undefined, number | undefined];
  /** Median of the sandbox divided by that of the baseline. Absent if one has no value. */
  readonly ratio?: MedianRatio;
  /** What a reader must know of the interval, or why there is none. Absent if nothing. */
  readonly caution?: string;
  /** How often the sandbox took longer than the baseline. Absent if one has no value. */
  readonly effect?: EffectSize;
  /** Of the rank sum test, corrected by Holm over all comparisons of the run. */
  readonly pAdjusted?: number;
}

/** The comparisons of one function and number of instances. */
export interface ComparisonGroup {
  readonly function: string;
  readonly instances: number;
  /** The first sandbox of the experiment that has a value here. Absent if none has. */
  readonly baseline?: string;
  /** The first sandbox of the experiment, where that has no value here. */
  readonly unmeasuredBaseline?: string;
  /** The sandbox with the smallest median. Absent if nothing was measured. */
  readonly fastest?: string;
  readonly comparisons: readonly SandboxComparison[];
}

/** The same interval at every look: a comparison is a function of its run. */
const SEED = 1;

/** Beyond this many comparisons an interval is made from fewer resamples. */
const COMPARISONS_FOR_ALL_RESAMPLES = 100;
const RESAMPLES = 4000;
const RESAMPLES_FEW = 1000;

/**
 * Every sandbox against the baseline: the first sandbox of the experiment, as a reader of its file
 * expects. A no-op starts no sandbox, so there is nothing to compare in one. Pure; the cost is
 * bounded by the number of values times their logarithm, and by the resamples.
 */
export function compareSandboxes({
  cells,
  metric,
  coverage,
}: Pick<RunSummary, 'cells' | 'metric' | 'coverage'>): ComparisonGroup[] {
  if (metric === 'lateness') return [];
  const expected = cells[0]?.cell.sandbox;
  const groups = [...groupBy(cells, ({ cell }) => `${cell.instances} ${cell.function}`).values()];
  const pairs = groups.flatMap(pairsOf);
  const tests = pairs.map(({ base, other }) => rankSumTest(valuesOf(base), valuesOf(other)));
  const adjusted = holmAdjust(tests.filter((pValue) => pValue !== undefined));
  const isMany = pairs.length > COMPARISONS_FOR_ALL_RESAMPLES;
  const resamples = isMany ? RESAMPLES_FEW : RESAMPLES;
  let tested = 0;
  const compared = pairs.map((pair, index) => {
    const pAdjusted = tests[index] === undefined ? undefined : adjusted[tested++];
    return comparePair(pair, { resamples, coverage, seed: SEED }, pAdjusted);
  });
  return groups.flatMap((group) => groupOf(group, expected, compared));
}

interface Pair {
  readonly base: CellSummary;
  readonly other: CellSummary;
}

function pairsOf(group: readonly CellSummary[]): Pair[] {
  const base = group.find(isMeasured);
  if (base === undefined) return [];
  return group.filter((other) => other !== base).map((other) => ({ base, other }));
}

function isMeasured({ units }: CellSummary): boolean {
  return units.length > 0;
}

function groupOf(
  group: readonly CellSummary[],
  expected: string | undefined,
  compared: readonly SandboxComparison[],
): ComparisonGroup[] {
  const [first] = group;
  if (first === undefined) return [];
  const { function: name, instances } = first.cell;
  const baseline = group.find(isMeasured)?.cell.sandbox;
  const measured = group.filter(isMeasured);
  const fastest = measured.reduce(
    (best, one) => (medianOf(one) < medianOf(best) ? one : best),
    measured[0] ?? first,
  );
  const lacks = expected !== undefined && baseline !== undefined && baseline !== expected;
  return [
    {
      function: name,
      instances,
      ...(baseline === undefined ? {} : { baseline, fastest: fastest.cell.sandbox }),
      ...(lacks ? { unmeasuredBaseline: expected } : {}),
      comparisons: compared.filter((one) => one.function === name && one.instances === instances),
    },
  ];
}

function comparePair(
  { base, other }: Pair,
  options: BootstrapOptions,
  pAdjusted: number | undefined,
): SandboxComparison {
  const [first, second] = [valuesOf(base), valuesOf(other)];
  const ratio = hostRatio(base.units, other.units, options);
  const caution = ratio === undefined ? undefined : ratioCaution(ratio);
  const effect = effectSize(first, second);
  return {
    function: other.cell.function,
    instances: other.cell.instances,
    baseline: base.cell.sandbox,
    sandbox: other.cell.sandbox,
    n: [first.length, second.length],
    hosts: new Set([...base.units, ...other.units].map(({ host }) => host)).size,
    mediansNs: [base.latency?.medianNs, other.latency?.medianNs],
    ...(ratio === undefined ? {} : { ratio }),
    ...(caution === undefined ? {} : { caution }),
    ...(effect === undefined ? {} : { effect }),
    ...(pAdjusted === undefined ? {} : { pAdjusted }),
  };
}

function medianOf({ latency }: CellSummary): number {
  return latency?.medianNs ?? Infinity;
}

function valuesOf({ units }: CellSummary): number[] {
  return units.map(({ valueNs }) => valueNs);
}
