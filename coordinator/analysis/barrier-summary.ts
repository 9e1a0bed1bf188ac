import type { BarrierRecord, TrialResult } from '../../schemas/result.ts';
import { durationStatistics } from './duration-statistics.ts';
import { groupBy, startKey } from './measured-result.ts';
import type { BarrierSummary } from './run-summary.ts';
import { spreadOf, toFleetInstant } from './spread.ts';

interface Pass {
  readonly result: TrialResult;
  readonly barrier: BarrierRecord;
}

interface Tally {
  passes: number;
  readonly latenessesNs: number[];
  readonly spreadsNs: number[];
  boundNs: number;
}

/**
 * How devices went on from each named barrier, in the order in which the names are first met.
 * Every pass counts, also of results that failed or are invalid; devices are compared within a
 * trial and wave, because that is who waits for each other.
 */
export class BarrierTally {
  readonly #byName = new Map<string, Tally>();

  /** Adds all results of one trial. */
  add(results: readonly TrialResult[]): void {
    const passes = results.flatMap((result) =>
      result.barriers.map((barrier): Pass => ({ result, barrier })),
    );
    for (const [name, own] of groupBy(passes, ({ barrier }) => barrier.name)) {
      const tally = this.#byName.get(name) ?? newTally();
      this.#byName.set(name, tally);
      addPasses(tally, own);
    }
  }

  /** The figures so far. */
  summary(): BarrierSummary[] {
    return [...this.#byName].map(([name, { passes, latenessesNs, spreadsNs, boundNs }]) => {
      const spread = durationStatistics(spreadsNs);
      const lateness = durationStatistics(latenessesNs);
      return {
        name,
        passes,
        ...(spread === undefined ? {} : { spread, boundNs }),
        ...(lateness === undefined ? {} : { lateness }),
      };
    });
  }
}

function newTally(): Tally {
  return { passes: 0, latenessesNs: [], spreadsNs: [], boundNs: 0 };
}

function addPasses(tally: Tally, passes: readonly Pass[]): void {
  tally.passes += passes.length;
  for (const { barrier } of passes) {
    tally.latenessesNs.push(Number(barrier.actualMonoNs - barrier.targetMonoNs));
  }
  for (const together of groupBy(passes, ({ result }) => startKey(result)).values()) {
    const spread = spreadOf(together.flatMap(instantOf));
    if (spread === undefined) continue;
    tally.spreadsNs.push(spread.spreadNs);
    tally.boundNs = Math.max(tally.boundNs, spread.boundNs);
  }
}

function instantOf({ result: { clock, start }, barrier }: Pass) {
  if (clock === undefined || start === undefined) return [];
  return [toFleetInstant(clock, barrier.actualMonoNs, start.actualMonoNs)];
}
