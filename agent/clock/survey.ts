import type { ClockSurvey } from '../../schemas/clock.ts';
import type { Clock } from './clock.ts';
import type { Synchroniser } from './synchroniser.ts';
import { readUtcStatus } from './utc-status.ts';

/** What a survey needs of its agent. */
export interface SurveyPorts {
  readonly clock: Clock;
  readonly synchroniser: Synchroniser;
  /** Scheduling class that a runner gets. */
  readonly schedulingClass: string;
  /** Why it is no real-time class. Absent if it is. */
  readonly schedulingReason: string | undefined;
}

/**
 * Measures the clock of this device now, and asks its time daemon about UTC.
 *
 * @throws LockstepError as {@link Synchroniser.measure}.
 */
export async function surveyClock(ports: SurveyPorts): Promise<ClockSurvey> {
  const { clock, synchroniser, schedulingClass, schedulingReason } = ports;
  const interval = await synchroniser.measure();
  const now = {
    clock: synchroniser.estimateAfter(interval, clock.monotonicNs()),
    utcNs: clock.utcNs(),
  };
  // Only then: the programs that are asked would disturb the probes, and the estimate would age.
  const utc = await readUtcStatus();
  return {
    ...now,
    schedulingClass,
    ...(schedulingReason === undefined ? {} : { schedulingReason }),
    ...(utc === undefined ? {} : { utc }),
  };
}
