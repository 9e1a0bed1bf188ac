import type { BarrierRecord, TrialResult } from '../../schemas/result.ts';
import { durationStatistics } from './duration-statistics.ts';
import { groupBy, startKey } from './measured-result.ts';
import type { BarrierSummary } from './run-summary.ts';
import { spreadOf, toFleetInstant } from './spread.ts';

interface Pass {
  readonly result: TrialResult;
  readonly barrier: BarrierRecord;
}

/**
 * How devices went on from each named barrier, in the order in which the names are first met.
 * Every pass counts, also of results that failed or are invalid; devices are compared within a
 * trial and wave, because that is who waits for each other.
 */
export function summariseBarriers(results: readonly TrialResult[]): BarrierSummary[] {
  const passes = results.flatMap((result) =>
    result.barriers.map((barrier): Pass => ({ result, barrier })),
  );
  return [...groupBy(passes, ({ barrier }) => barrier.name)].map(([name, own]) =>
    summariseBarrier(name, own),
  );
}

function summariseBarrier(name: string, passes: readonly Pass[]): BarrierSummary {
  const spreads = [...groupBy(passes, ({ result }) => startKey(result)).values()]
    .map((together) => spreadOf(together.flatMap(instantOf)))
    .filter((spread) => spread !== undefined);
  const spread = durationStatistics(spreads.map(({ spreadNs }) => spreadNs));
  const lateness = durationStatistics(
    passes.map(({ barrier }) => Number(barrier.actualMonoNs - barrier.targetMonoNs)),
  );
  return {
    name,
    passes: passes.length,
    ...(spread === undefined ? {} : { spread }),
    ...(spreads.length === 0
      ? {}
      : { boundNs: spreads.reduce((most, { boundNs }) => Math.max(most, boundNs), 0) }),
    ...(lateness === undefined ? {} : { lateness }),
  };
}

function instantOf({ result: { clock, start }, barrier }: Pass) {
  if (clock === undefined || start === undefined) return [];
  return [toFleetInstant(clock, barrier.actualMonoNs, start.actualMonoNs)];
}
