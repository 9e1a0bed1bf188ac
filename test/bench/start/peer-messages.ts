import { z } from 'zod';
import { protocolField } from '../../../schemas/protocol.ts';
import { Nanoseconds } from '../../../schemas/units.ts';

// Below `lockstep.`, so that the coordinator's credential, which all of these use, reaches them.
export const FIRE_SUBJECT = 'lockstep.bench.fire';
export const FIRED_SUBJECT = 'lockstep.bench.fired';
export const SAMPLE_SUBJECT = 'lockstep.bench.sample';

/** Begin a trial, or first take one sample of the wall clock for it. */
export const Fire = z.object({
  ...protocolField,
  trial: z.int(),
  step: z.enum(['sample', 'start']),
  /** Absent: at once. */
  startAtUtcMs: z.number().optional(),
});

/** A device has started. */
export const Fired = z.object({
  ...protocolField,
  trial: z.int(),
  name: z.string(),
  atMonoNs: Nanoseconds,
});

/** One round trip for the wall clock. */
export const Sample = {
  request: z.object({ ...protocolField }),
  reply: z.object({ ...protocolField, nowUtcMs: z.number() }),
} as const;
