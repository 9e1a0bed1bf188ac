import type { Run } from '../../schemas/run.ts';
import { verdictOf } from './comparison.ts';
import type { Verdict } from './comparison.ts';
import { hostNames } from './host-names.ts';
import { hostRatio } from './host-ratio.ts';
import type { HostedValue } from './host-ratio.ts';
import { groupBy } from './measured-result.ts';
import type { CellSummary, Interval, RunSummary } from './run-summary.ts';
import { hostsCaution } from './statistics/interval-trust.ts';
import { locationInterval } from './statistics/location-interval.ts';
import { quickMedian } from './statistics/quick-median.ts';
import type { MedianRatio } from './statistics/ratio-interval.ts';
import { theilSenSlope } from './statistics/slope.ts';
import type { Slope } from './statistics/slope.ts';

/** How a run stands to another one. */
export interface TrendChange {
  readonly runId: string;
  readonly ratio: MedianRatio;
  readonly verdict: Verdict;
}

/** One run in the trend of a cell. */
export interface TrendPoint {
  readonly runId: string;
  /** Start of the run; its submission if it never started. */
  readonly atUtcMs: number;
  /** Independent values: trials on hosts. */
  readonly n: number;
  readonly hosts: number;
  /** Failures among attempts, 0 to 1. Absent without attempts. */
  readonly failureRate?: number;
  /** Absent if the run has no valid value in the cell. */
  readonly medianNs?: number;
  readonly medianInterval?: Interval;
  /** Against the run before it that has a value, and the first one. Absent for the first. */
  readonly fromPrevious?: TrendChange;
  readonly fromFirst?: TrendChange;
}

/** All runs together: each run is a session of each host that was in it. */
export interface PooledRuns {
  /** Geometric mean of the hosts, each the geometric mean of its runs' medians, ns. */
  readonly estimateNs: number;
  readonly interval?: Interval;
  /** What the interval rests on: hosts, or runs where there is one host. */
  readonly basis: 'hosts' | 'runs';
  readonly units: number;
  readonly caution?: string;
}

/** One cell over several runs. */
export interface CellTrend {
  readonly cellId: string;
  readonly points: readonly TrendPoint[];
  /** Change of the median, ns per day. Absent if all runs began at one time. */
  readonly slopeNsPerDay?: Slope;
  readonly pooled?: PooledRuns;
}

const DAY_MS = 86_400_000;

/** How a trend is made. */
export interface TrendOptions {
  readonly margin: number;
  readonly seed: number;
}

/**
 * Follows cells over runs, which are added one by one, oldest first. Of each cell it keeps the
 * values of the first and of the last run, and a median for every host of every run.
 */
export class Trend {
  readonly #options: TrendOptions;
  readonly #cells = new Map<string, CellFollower>();

  constructor(options: TrendOptions) {
    this.#options = options;
  }

  /**
   * Adds the next run.
   *
   * @param cellId only this cell of it; absent: all
   */
  add(run: Run, summary: Pick<RunSummary, 'hosts' | 'cells'>, cellId?: string): void {
    const names = hostNames(summary, run);
    for (const cell of summary.cells) {
      if (cellId !== undefined && cell.cell.id !== cellId) continue;
      const follower = this.#cells.get(cell.cell.id) ?? new CellFollower(this.#options);
      this.#cells.set(cell.cell.id, follower);
      follower.add(run, cell, names);
    }
  }

  /** The cells in the order in which they were met. */
  get cells(): CellTrend[] {
    return [...this.#cells].map(([cellId, follower]) => ({ cellId, ...follower.trend() }));
  }
}

interface Side {
  readonly runId: string;
  readonly values: readonly HostedValue[];
}

class CellFollower {
  readonly #options: TrendOptions;
  readonly #points: TrendPoint[] = [];
  /** By host its median in each run. */
  readonly #sessions = new Map<string, number[]>();
  /** Fewest values of a host in a run. */
  #valuesMin = Infinity;
  #first: Side | undefined;
  #last: Side | undefined;

  constructor(options: TrendOptions) {
    this.#options = options;
  }

  add(run: Run, cell: CellSummary, names: ReadonlyMap<string, string>): void {
    const { runId } = run;
    const values = cell.units.map(({ host, valueNs }) => ({
      host: names.get(host) ?? host,
      valueNs,
    }));
    const byHost = groupBy(values, ({ host }) => host);
    for (const [host, own] of byHost) {
      const sessions = this.#sessions.get(host) ?? [];
      sessions.push(quickMedian(own.map(({ valueNs }) => valueNs)));
      this.#sessions.set(host, sessions);
      this.#valuesMin = Math.min(this.#valuesMin, own.length);
    }
    const { latency, failureRate } = cell;
    const fromPrevious = this.#change(this.#last, values);
    const fromFirst = this.#change(this.#first, values);
    this.#points.push({
      runId,
      atUtcMs: run.startedAtUtcMs ?? run.submittedAtUtcMs,
      n: values.length,
      hosts: byHost.size,
      ...(failureRate === undefined ? {} : { failureRate }),
      ...(latency === undefined ? {} : { medianNs: latency.medianNs }),
      ...(latency?.medianInterval === undefined ? {} : { medianInterval: latency.medianInterval }),
      ...(fromPrevious === undefined ? {} : { fromPrevious }),
      ...(fromFirst === undefined ? {} : { fromFirst }),
    });
    if (values.length === 0) return;
    this.#last = { runId, values };
    this.#first ??= this.#last;
  }

  trend(): Omit<CellTrend, 'cellId'> {
    const slope = theilSenSlope(
      this.#points.flatMap(({ atUtcMs, medianNs }) =>
        medianNs === undefined ? [] : [{ x: atUtcMs / DAY_MS, y: medianNs }],
      ),
    );
    const pooled = this.#pooled();
    return {
      points: this.#points,
      ...(slope === undefined ? {} : { slopeNsPerDay: slope }),
      ...(pooled === undefined ? {} : { pooled }),
    };
  }

  #change(before: Side | undefined, values: readonly HostedValue[]): TrendChange | undefined {
    if (before === undefined) return undefined;
    const { margin, seed } = this.#options;
    const ratio = hostRatio(before.values, values, { seed });
    if (ratio === undefined) return undefined;
    return { runId: before.runId, ratio, verdict: verdictOf(ratio, margin) };
  }

  #pooled(): PooledRuns | undefined {
    const hosts = [...this.#sessions.values()];
    const [only = []] = hosts;
    const basis = hosts.length === 1 ? 'runs' : 'hosts';
    // A median of a session is the one value of its own group.
    const nested = basis === 'runs' ? only.map((median) => [median]) : hosts.map(sessionsOf);
    const found = locationInterval(nested);
    if (found === undefined) return undefined;
    const caution =
      basis === 'hosts'
        ? hostsCaution(found.units, this.#valuesMin)
        : 'one host: the interval is over its runs, and says nothing about other hosts';
    return {
      estimateNs: found.estimate,
      ...(found.interval === undefined ? {} : { interval: found.interval }),
      basis,
      units: found.units,
      ...(caution === undefined ? {} : { caution }),
    };
  }
}

function sessionsOf(medians: readonly number[]): number[][] {
  return medians.map((median) => [median]);
}
