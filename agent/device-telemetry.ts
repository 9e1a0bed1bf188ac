import type { ArmRequest } from '../schemas/messages.ts';
import type { TrialResult } from '../schemas/result.ts';
import type { SamplingPorts } from './run-sampling.ts';

/** What a trial was asked with, beside its messages: the context that its trace goes on from. */
export type TraceHeaders = Readonly<Record<string, string>>;

/** A trial as its spans tell it. */
export interface TracedTrial {
  readonly request: ArmRequest;
  readonly headers: TraceHeaders;
  /** When arm arrived, CLOCK_MONOTONIC, ns. */
  readonly armedAtMonoNs: bigint;
  /** When its result was made, CLOCK_MONOTONIC, ns. */
  readonly endedAtMonoNs: bigint;
  /** UTC, as the coordinator has it if it is known, minus CLOCK_MONOTONIC, ns. */
  readonly utcMinusMonoNs: bigint;
  readonly result: TrialResult;
}

/** How a device samples, and where what it tells goes. */
export interface DeviceTelemetry extends SamplingPorts {
  /** Attributes of the device as they are exported. */
  readonly resource: Readonly<Record<string, string>>;
  /** True if what is exported goes somewhere, whatever the coordinator says. */
  readonly exportsDirectly: boolean;
  /**
   * A trial is about to be timed: until {@link endTrial} nothing is sent, unless it is live. What
   * is logged belongs to it.
   */
  beginTrial(headers: TraceHeaders, isLive: boolean): void;
  /** Tells the spans of a trial. Never throws. */
  traceTrial(trial: TracedTrial): void;
  /** It is over, or was given up. Safe to repeat. */
  endTrial(): void;
}
