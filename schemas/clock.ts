import { z } from 'zod';
import { Nanoseconds } from './units.ts';

/**
 * How fast two clocks can drift apart, parts per million: the fastest slew of ntpd and
 * systemd-timesyncd on Linux (500 ppm, adjtimex(2)), which also covers any crystal. chrony can be
 * set to slew faster; bursts around a trial that then contradict each other void its result.
 */
export const DRIFT_ALLOWANCE_PPM = 500;

/** Which clock fleet time is. */
export const FleetTimeName = z.string().max(128).meta({
  description: 'Name of the clock that is fleet time: boot id and time namespace of its host.',
});

/** A device's estimate of fleet time: fleet time = own CLOCK_MONOTONIC + offset, within ± bound. */
export const ClockEstimate = z.object({
  fleetTime: FleetTimeName,
  offsetNs: Nanoseconds.meta({ description: 'Fleet time minus own CLOCK_MONOTONIC, ns.' }),
  boundNs: Nanoseconds.meta({ description: 'Hard limit of the error of the offset, ns.' }),
  ageNs: Nanoseconds.meta({
    description: 'Time between the burst of probes and the instant that the estimate is for, ns.',
  }),
  probes: z.int().min(1).meta({ description: 'Number of probes that it rests on.' }),
  roundTripMinNs: Nanoseconds.meta({ description: 'Shortest round trip among them, ns.' }),
  burstNs: Nanoseconds.optional().meta({
    description: 'How long the burst took, ns. Absent: not told.',
  }),
  bracketed: z
    .boolean()
    .default(false)
    .meta({
      description:
        'True if there was a burst before and after the instant; else the bound is widened by ' +
        'the drift allowance from one side only. Absent: false.',
    }),
  driftPpb: z
    .number()
    .optional()
    .meta({
      description:
        'How fast the offset changes, by a line through recent bursts, parts per 1e9. Absent if ' +
        'there were too few.',
    }),
});
export type ClockEstimate = z.output<typeof ClockEstimate>;

/** What the device's time daemon says of UTC. */
export const UtcStatus = z.object({
  source: z.enum(['chrony', 'timesyncd']).meta({ description: 'Who says so.' }),
  isSynchronised: z.boolean(),
  errorNs: Nanoseconds.optional().meta({
    description: 'Largest error of the wall clock as the daemon sees it, ns. Absent if unknown.',
  }),
  detail: z.string().max(256).meta({ description: 'Server or reason, for people.' }),
});
export type UtcStatus = z.output<typeof UtcStatus>;

/** The clock of one device as it is now. */
export const ClockSurvey = z.object({
  clock: ClockEstimate,
  schedulingClass: z.string().max(64).meta({
    description: 'Scheduling class that a measuring process gets, e.g. SCHED_FIFO 10.',
  }),
  schedulingReason: z.string().max(512).optional().meta({
    description: 'Why it is not a real-time class. Absent if it is.',
  }),
  utcNs: Nanoseconds.meta({ description: 'Wall clock, ns since 1970.' }),
  utc: UtcStatus.optional().meta({ description: 'Absent if no time daemon tells.' }),
});
export type ClockSurvey = z.output<typeof ClockSurvey>;
