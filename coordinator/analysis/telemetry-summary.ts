import type { SourceName } from '../../schemas/telemetry-names.ts';

/** A source that was not sampled, or more slowly than asked for, and why. */
export interface SourceGap {
  readonly source: SourceName;
  readonly deviceIds: readonly string[];
  /** Undefined if it was sampled. */
  readonly unavailable?: string;
  /** Undefined if nothing is known. */
  readonly remedy?: string;
  /** Why it was sampled more slowly. Undefined if it was not. */
  readonly limitedBy?: string;
}

/** How well, and at what cost, the trials of a run were sampled. Shares are 0 to 1. */
export interface TelemetrySummary {
  /** Results that say how they were sampled. */
  readonly sampled: number;
  /** Results that say why they were not, the devices that reported them, and the first reason. */
  readonly failed: number;
  readonly failedDeviceIds: readonly string[];
  readonly failure?: string;
  /** The rates that were asked for, per second, each once. */
  readonly ratesHz: readonly number[];
  /** Median and least of the achieved rate over the rate asked for. Absent if nothing was. */
  readonly achievedMedian?: number;
  readonly achievedLeast?: number;
  /** Results that were sampled at less than 97 % of the rate, or missed over 3 % of it. */
  readonly slow: number;
  readonly slowDeviceIds: readonly string[];
  readonly rounds: number;
  readonly missed: number;
  /** Results of which not every round was kept. */
  readonly thinned: number;
  /** Medians over results of the median and of the 99th percentile of lateness; the latest, ns. */
  readonly latenessP50Ns?: number;
  readonly latenessP99Ns?: number;
  readonly latenessMaxNs?: number;
  /** CPU time of the sampler over time sampled: of one processor; median and most. */
  readonly cpuMedian?: number;
  readonly cpuMost?: number;
  /** Values taken, blocks announced, and how many results announce some. */
  readonly samples: number;
  readonly blocks: number;
  readonly announcing: number;
  readonly gaps: readonly SourceGap[];
}

/** What of a run's samples is not what was announced, or tells of trouble. */
export interface SampleFindings {
  /** What results announce and is not there: devices' parts in trials, and blocks. */
  readonly missing: { readonly trials: number; readonly blocks: number };
  /** Lines of samples.ndjson that were left out. */
  readonly damaged: number;
  /** The first places of damage, in words. */
  readonly damage: readonly string[];
  /** Devices that were throttled while they were sampled, and in how many trials. */
  readonly throttled: readonly {
    readonly device: string;
    readonly condition: string;
    readonly trials: number;
  }[];
}
