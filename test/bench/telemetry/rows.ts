import { median } from '../../../coordinator/analysis/quantile.ts';
import type { BenchmarkValue } from '../benchmark.ts';

/** One measurement of what takes samples. */
export interface SamplingRound {
  readonly seconds: number;
  readonly samples: number;
  /** CPU time while samples were taken, ns. */
  readonly cpuNs: number;
  /** CPU time afterwards, for encoding what was sampled, ns. Absent if there is nothing to do. */
  readonly afterCpuNs?: number;
  readonly busyPercent: number | undefined;
  /** What only a sampler tells. */
  readonly loop?: {
    readonly files: number;
    readonly achievedHz: number;
    readonly rounds: number;
    readonly missed: number;
    readonly latenessP50Us: number;
    readonly latenessP99Us: number;
  };
}

/** One way to take samples, at one rate. */
export interface SamplingRow {
  readonly what: string;
  readonly rateHz: number;
  readonly rounds: SamplingRound[];
}

/** A ratio of two times of the same work, with what else ran and without it. */
export interface EffectRow {
  readonly what: string;
  readonly rateHz: number;
  readonly pairs: number;
  readonly seconds: number;
  readonly ratio: number | undefined;
  readonly lower: number | undefined;
  readonly upper: number | undefined;
  readonly busyPercent: number | undefined;
}

/** Columns of the table. */
export const TELEMETRY_COLUMNS = [
  ...['measured', 'what', 'rateHz', 'files', 'n', 'seconds', 'cpuPercent', 'cpuPercentMax'],
  ...['cpuUsPerSample', 'afterUsPerSample', 'timesOurs', 'achievedHz', 'onTimePercent'],
  ...['lateP50Us', 'lateP99Us', 'ratio', 'ratioLower', 'ratioUpper', 'machineBusyPercent'],
] as const;

/** What taking a sample costs, us; undefined if none was taken. */
export function costUs({ rounds }: SamplingRow): number | undefined {
  const samples = sumOf(rounds, (round) => round.samples);
  const cpuNs = sumOf(rounds, (round) => round.cpuNs);
  return samples === 0 ? undefined : cpuNs / samples / 1e3;
}

/** @param oursUs what a sample of ours costs, us */
export function samplingValues(
  measured: string,
  row: SamplingRow,
  oursUs: number | undefined,
): BenchmarkValue[] {
  const { rounds } = row;
  const samples = sumOf(rounds, (round) => round.samples);
  const seconds = sumOf(rounds, (round) => round.seconds);
  const cpuNs = sumOf(rounds, (round) => round.cpuNs);
  const ofLoop = rounds.flatMap(({ loop }) => (loop === undefined ? [] : [loop]));
  const done = sumOf(ofLoop, (loop) => loop.rounds);
  const missed = sumOf(ofLoop, (loop) => loop.missed);
  const after = rounds.some(({ afterCpuNs }) => afterCpuNs !== undefined)
    ? sumOf(rounds, (round) => round.afterCpuNs ?? 0)
    : undefined;
  const cost = costUs(row);
  return [
    ...[measured, row.what, row.rateHz, ofLoop[0]?.files, samples, seconds],
    seconds === 0 ? undefined : cpuNs / seconds / 1e7,
    rounds.length === 0
      ? undefined
      : Math.max(...rounds.map((round) => round.cpuNs / round.seconds / 1e7)),
    cost,
    after === undefined || samples === 0 ? undefined : after / samples / 1e3,
    cost === undefined || oursUs === undefined ? undefined : cost / oursUs,
    median(ofLoop.map(({ achievedHz }) => achievedHz)),
    done === 0 ? undefined : (100 * done) / (done + missed),
    median(ofLoop.map(({ latenessP50Us }) => latenessP50Us)),
    median(ofLoop.map(({ latenessP99Us }) => latenessP99Us)),
    ...[undefined, undefined, undefined, meanBusy(rounds)],
  ];
}

/** The values of one ratio. */
export function effectValues(measured: string, row: EffectRow): BenchmarkValue[] {
  const { what, rateHz, pairs, seconds, ratio, lower, upper, busyPercent } = row;
  const unknown = Array.from({ length: 9 }, () => undefined);
  return [
    ...[measured, what, rateHz, undefined, pairs, seconds],
    ...[...unknown, ratio, lower, upper, busyPercent],
  ];
}

function meanBusy(rounds: readonly SamplingRound[]): number | undefined {
  const known = rounds.flatMap(({ busyPercent }) => busyPercent ?? []);
  return known.length === 0 ? undefined : sumOf(known, (value) => value) / known.length;
}

function sumOf<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + valueOf(item), 0);
}
