import type { Failure } from '../../schemas/failure.ts';
import type { MeasureName } from '../../schemas/measurement.ts';
import type { Cell, Instance, InvalidMark, Phase, TrialResult } from '../../schemas/result.ts';
import type { RunState } from '../../schemas/run.ts';
import type { SampleFindings, TelemetrySummary } from './telemetry-summary.ts';

/** The version of the shape of {@link RunSummary}; it rises when a field changes its meaning. */
export const SUMMARY_VERSION = 1;

/** An interval and the probability with which its method covers the true value. */
export interface Interval {
  readonly lower: number;
  readonly upper: number;
  /** Exact coverage of an order-statistic interval; the nominal one otherwise. 0 to 1. */
  readonly coverage: number;
}

/**
 * Some durations in figures. All in ns as numbers: durations stay far below 2^53, and quantiles
 * need fractions.
 */
export interface DurationStatistics {
  /** How many values the figures rest on. */
  readonly n: number;
  readonly minNs: number;
  /** For comparison with others' figures; of few or skewed values it says little. */
  readonly meanNs: number;
  readonly medianNs: number;
  readonly p95Ns: number;
  readonly maxNs: number;
  /** Absent if n is too small for the coverage. */
  readonly medianInterval?: Interval;
  /** Absent if n is too small for the coverage. */
  readonly p95Interval?: Interval;
}

/**
 * What `latency` is: of a cold start the time to the first byte; of a burst the makespan; of a
 * warm call the time from the call to the last byte; of work that is called, the call; of what is
 * watched or loaded, how long the trial took; of a no-op the lateness of the start.
 */
export type Metric = 'cold-start' | 'makespan' | 'warm-call' | 'call' | 'elapsed' | 'lateness';

/** The name of an interval between two phases of one sandbox. */
export type SpanName =
  | 'request-spawn'
  | 'spawn-gateOpen'
  | 'spawn-guestEntry'
  | 'gateOpen-guestEntry'
  | 'guestEntry-appMain'
  | 'gateOpen-appMain'
  | 'spawn-appMain'
  | 'appMain-ready'
  | 'ready-call'
  | 'ready-firstByte'
  | 'call-firstByte'
  | 'firstByte-lastByte'
  | 'teardown';

/** The median of one span over the units of a cell. */
export interface SpanMedian {
  readonly span: SpanName;
  readonly from: Phase;
  readonly to: Phase;
  /** Units that saw both ends. */
  readonly n: number;
  readonly medianNs: number;
}

/** One value of a cell: one trial on one host, the median over the agents that share the host. */
export interface Unit {
  readonly trialId: string;
  readonly attempt: number;
  readonly host: string;
  /** Place of the trial in the plan. Absent if the plan does not know the trial. */
  readonly position?: number;
  /** How many agents of the host gave a value. */
  readonly devices: number;
  readonly valueNs: number;
}

/** What a cell says about hosts like those that were measured. */
export interface FleetInterval {
  /** Geometric mean of the hosts' medians, ns; the mean if one is not positive. */
  readonly estimateNs: number;
  /** Of {@link estimateNs}, ns. Absent for one host, and if all hosts have the same median. */
  readonly interval?: Interval;
  /** Hosts with a value. Agents that share a host are one. */
  readonly hosts: number;
  /** Why the interval is absent or must be taken with care. Absent if it needs no word. */
  readonly caution?: string;
}

/** What was measured in one cell. attempts = kept + failures + invalid + unmeasured. */
export interface CellSummary {
  readonly cell: Cell;
  /** Results of trials that were tried, one per device; without those stood down. */
  readonly attempts: number;
  /** Results that are valid and carry the cell's latency. */
  readonly kept: number;
  readonly failures: number;
  /** The failures by their code; tells what the sandbox did from what the fleet did. */
  readonly failureCodes: Readonly<Record<string, number>>;
  /** Results that succeeded, but carry a mark; kept, and left out of the latency. */
  readonly invalid: number;
  /** Results that succeeded and are valid, but lack a stamp that the latency needs. */
  readonly unmeasured: number;
  /** Results of trials that were called off before they could end; no attempts. */
  readonly stoodDown: number;
  /** Failures among attempts, 0 to 1. Absent without attempts. */
  readonly failureRate?: number;
  /** Wilson's interval of the failure rate, by trials on hosts. Absent without attempts. */
  readonly failureInterval?: Interval;
  /** Sandboxes that failed, over all attempts; and sandboxes reported. */
  readonly instancesFailed: number;
  readonly instancesReported: number;
  /** The latency by units; what it is, {@link Metric} tells. Absent without one. */
  readonly latency?: DurationStatistics;
  /** The same for hosts that were not measured. Absent unless there are values of two hosts. */
  readonly fleet?: FleetInterval;
  /** Of a burst: median over units of the median and the p95 of the sandboxes' own times, ns. */
  readonly instanceMedianNs?: number;
  readonly instanceP95Ns?: number;
  readonly spans: readonly SpanMedian[];
  readonly units: readonly Unit[];
}

/** Agents on one machine and boot: one host, however many devices it shows as. */
export interface HostSummary {
  /** `host-1` and on, by the first device id. */
  readonly host: string;
  readonly deviceIds: readonly string[];
}

/** The estimates that one device made of fleet time over the run; all in ns. */
export interface DeviceClock {
  readonly deviceId: string;
  /** How many results carry an estimate. */
  readonly estimates: number;
  readonly boundMaxNs: number;
  readonly boundMedianNs: number;
  /** Median time between the burst of probes and the start. */
  readonly ageMedianNs: number;
  /** The shortest round trip of a probe. */
  readonly roundTripMinNs: number;
  /** Estimates with a burst before and after the start, 0 to 1 of all. */
  readonly bracketedShare: number;
  /** Median of the drifts it told, parts per 1e9. Absent if it told none. */
  readonly driftPpb?: number;
}

/** In which scheduling class the measuring process of one device was. */
export interface DeviceScheduling {
  readonly deviceId: string;
  readonly starts: number;
  /** Each class that a start had, once. */
  readonly classes: readonly string[];
  /** Each reason why it was no real-time class, once. Empty if it always was, or was not told. */
  readonly reasons: readonly string[];
}

/** How the devices of one trial, or of one wave of it, started together. */
export interface TrialStart {
  readonly trialId: string;
  readonly attempt: number;
  readonly position?: number;
  /** From 0; a trial in waves has an entry for each. */
  readonly wave: number;
  readonly devices: number;
  /** Latest minus earliest start in fleet time, ns. */
  readonly spreadNs: number;
  /** The sum of the two largest bounds in the trial: the limit of the spread's error, ns. */
  readonly boundNs: number;
  /** The same on the clock that all devices share, without offsets. Absent if they share none. */
  readonly sharedClockSpreadNs?: number;
}

/** Where one device's start of one trial fell. */
export interface StartPoint {
  readonly trialId: string;
  readonly attempt: number;
  readonly position?: number;
  readonly deviceId: string;
  readonly wave: number;
  /** Actual minus ordered start on the device's own clock, as it knew the offset before, ns. */
  readonly latenessNs: number;
  /** Actual minus ordered start in fleet time, ns. Absent if the device had no estimate. */
  readonly fleetLatenessNs?: number;
  /** The limit of the error of that, ns. Absent if the device had no estimate. */
  readonly boundNs?: number;
}

/** How the devices went on from one named barrier of the procedure. */
export interface BarrierSummary {
  readonly name: string;
  /** How often a device went on from it. */
  readonly passes: number;
  /** Latest minus earliest in fleet time, by trial and wave. Absent without two devices. */
  readonly spread?: DurationStatistics;
  /** The largest sum of two bounds in a trial: the limit of each spread's error, ns. */
  readonly boundNs?: number;
  /** Actual minus ordered instant of going on, on the device's own clock. */
  readonly lateness?: DurationStatistics;
}

/** How well the run's trials started together. */
export interface StartSummary {
  /** How many parts of the fleet started one after the other; 1 if all started at once. */
  readonly waves: number;
  readonly trials: readonly TrialStart[];
  /** All of a run of usual size; else the worst of neighbouring trials, for each device. */
  readonly points: readonly StartPoint[];
  /** How many starts there were. */
  readonly pointsSeen: number;
  /** Within trials, or within waves. Absent if none started on two devices or more. */
  readonly spread?: DurationStatistics;
  /** Spread on a clock that all devices of a trial share. Absent if there is none. */
  readonly sharedClockSpread?: DurationStatistics;
  /** Absent if nothing started. */
  readonly lateness?: DurationStatistics;
  readonly barriers: readonly BarrierSummary[];
  /** Of the devices that had an estimate, by id. */
  readonly clocks: readonly DeviceClock[];
  /** Of the devices that started a trial, by id. */
  readonly scheduling: readonly DeviceScheduling[];
  /** The largest bound of one device, ns. Absent without a clock estimate. */
  readonly boundMaxNs?: number;
  /** Sum of the two largest devices' bounds, ns. Absent with fewer than two devices. */
  readonly pairBoundNs?: number;
}

/** Why a result is not in the latency. */
export type ExceptionKind = 'failed' | 'invalid' | 'unmeasured' | 'stood-down';

/** A sandbox that failed. */
export type FailedInstance = Pick<Instance, 'index' | 'failure' | 'failedAfter' | 'logTail'>;

/** A result that failed, is invalid, lacks its latency or was stood down; shown one by one. */
export interface Exception {
  readonly kind: ExceptionKind;
  readonly trialId: string;
  readonly attempt: number;
  readonly position?: number;
  readonly deviceId: string;
  readonly cellId: string;
  readonly marks: readonly InvalidMark[];
  readonly reportedBy: TrialResult['reportedBy'];
  /** Absent unless the result failed. */
  readonly failure?: Failure;
  readonly failedInstances: readonly FailedInstance[];
}

/** What a kind of sandbox ran on. */
export interface SandboxSetUp {
  readonly sandbox: string;
  /** Versions, platform and the like, as one text; empty if it tells nothing. */
  readonly details: string;
  readonly deviceIds: readonly string[];
}

/** How much memory each further sandbox takes; all in bytes. */
export interface MemorySlope {
  readonly sandbox: string;
  readonly function: string;
  /** Results with a number of sandboxes and the memory of all together. */
  readonly n: number;
  /** Least and most sandboxes at once. */
  readonly instances: readonly [number, number];
  /** Ordinary least squares with a free intercept. */
  readonly leastSquaresBytes: number;
  /** Theil and Sen's slope: a few points that are off do not move it. Absent for many points. */
  readonly theilSenBytes?: number;
  /**
   * Sen's interval. It takes the deviations from the line as independent, which readings of one
   * growing series are not; and it says nothing of other series. Absent with fewer than 5 points.
   */
  readonly theilSenInterval?: Interval;
}

/** One measure of one cell over its units, in the unit of the measure. */
export interface MeasureSummary {
  readonly cellId: string;
  readonly measure: MeasureName;
  /** What tells it from others of the same measure; as `summarisedLabels` keeps them. */
  readonly labels: Readonly<Record<string, string>>;
  /** Units: trials on hosts. */
  readonly n: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Of the median. Absent if n is too small for the coverage. */
  readonly interval?: Interval;
}

/** What a note is about. */
export type NoteCode =
  | 'imported'
  | 'imported-limits'
  | 'damaged-data'
  | 'run-not-completed'
  | 'no-results'
  | 'results-missing'
  | 'trials-stood-down'
  | 'stopped-early'
  | 'not-precise'
  | 'skipped-cells'
  | 'co-located'
  | 'hosts-pooled'
  | 'too-few-repetitions'
  | 'failed-results'
  | 'invalid-results'
  | 'unmeasured-results'
  | 'duplicates-dropped'
  | 'conflicting-results'
  | 'superseded-results'
  | 'foreign-results'
  | 'mixed-conditions'
  | 'fixed-order'
  | 'outliers'
  | 'several-modes'
  | 'order-effect'
  | 'autocorrelation'
  | 'drift'
  | 'no-real-time'
  | 'sampling-failed'
  | 'sampling-slow'
  | 'sampling-thinned'
  | 'samples-missing'
  | 'damaged-samples'
  | 'throttled'
  | 'spread-unknown';

/** Something that a reader must know to judge the figures, with what to do about it. */
export interface Note {
  readonly code: NoteCode;
  readonly level: 'information' | 'warning';
  /** What was seen, with numbers. */
  readonly message: string;
  /** What to do next. */
  readonly remedy: string;
}

/** The results of a run in figures. */
export interface RunSummary {
  readonly summaryVersion: typeof SUMMARY_VERSION;
  readonly runId: string;
  readonly experiment: string;
  readonly question: string;
  readonly state: RunState;
  /** What `latency` is. */
  readonly metric: Metric;
  readonly trials: { readonly planned: number; readonly done: number; readonly stoodDown: number };
  readonly results: {
    /** Lines that were read. */
    readonly read: number;
    /** Distinct results. */
    readonly distinct: number;
    /** Exact copies that were dropped. */
    readonly duplicates: number;
    /** Results of the coordinator that gave way to the device's own. */
    readonly superseded: number;
    /** Results under one key that differ; one of them was kept. */
    readonly conflicting: number;
    /** Results of another run, left out. */
    readonly foreign: number;
  };
  readonly hosts: readonly HostSummary[];
  /** What every interval of the latency is to cover, 0 to 1; more than 0.95 if there are looks. */
  readonly coverage: number;
  readonly cells: readonly CellSummary[];
  readonly start: StartSummary;
  /** The first of them, by place in the plan. */
  readonly exceptions: readonly Exception[];
  /** How many there are. */
  readonly exceptionCount: number;
  readonly setUps: readonly SandboxSetUp[];
  /** What procedures measured beside the phases. Absent if nothing. */
  readonly measures?: readonly MeasureSummary[];
  /** Absent if no result tells of the memory of its host. */
  readonly memory?: readonly MemorySlope[];
  /** How the trials were sampled. Absent if no result tells of it. */
  readonly telemetry?: TelemetrySummary;
  /** What is wrong with the samples. Absent if there are none, or it is not known yet. */
  readonly samples?: SampleFindings;
  readonly notes: readonly Note[];
}
