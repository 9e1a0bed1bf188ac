import { z } from 'zod';
import { DeviceFacts } from './device.ts';
import { Failure } from './failure.ts';
import { Measurement } from './measurement.ts';
import { ProcedureKind } from './procedure.ts';
import { protocolField } from './protocol.ts';
import { SandboxName } from './sandbox.ts';

const durationMs = z.number().min(0).meta({ description: 'How long it took, ms.' });

const Outcome = z.enum(['pass', 'fail', 'not-run']).meta({
  description: 'not-run: something before it failed, or the time was used up.',
});

/** One thing that a driver must do. */
export const ContractCheck = z.object({
  title: z.string().max(200).meta({ description: 'What the driver must do.' }),
  result: Outcome,
  durationMs,
  message: z.string().max(4096).optional().meta({ description: 'Why it failed. Absent if not.' }),
});
export type ContractCheck = z.output<typeof ContractCheck>;

/** Some values: how many, and where they lie. */
export const Spread = z.object({
  count: z.int().min(1),
  median: z.number(),
  minimum: z.number(),
  maximum: z.number(),
});
export type Spread = z.output<typeof Spread>;

/** Trials of one procedure in one kind of sandbox. */
export const SelftestTrials = z.object({
  procedure: ProcedureKind,
  function: z.string().max(64).meta({ description: 'Name of the function.' }),
  instances: z.int().min(1).meta({ description: 'Sandboxes per trial.' }),
  result: Outcome,
  trials: z.int().min(0).meta({ description: 'Trials that ended, well or not.' }),
  failed: z.int().min(0).meta({ description: 'Trials in which a sandbox failed.' }),
  durationMs,
  toReadyMs: Spread.optional().meta({
    description: 'From the request to a function that listens, ms. Absent: not stamped.',
  }),
  toResponseMs: Spread.optional().meta({
    description: 'From the request to the last byte of the first response, ms.',
  }),
  measurements: z.partialRecord(Measurement.shape.measure, Spread).optional().meta({
    description: 'What the procedure measured, whatever its labels, in the unit of the measure.',
  }),
  conditions: z.record(z.string(), z.string()).optional().meta({
    description: 'Of the last trial: what was not measured and why, and the like.',
  }),
  failure: Failure.optional().meta({ description: 'The first failure. Absent if none.' }),
});
export type SelftestTrials = z.output<typeof SelftestTrials>;

/** What became of one kind of sandbox. */
export const SelftestSandbox = z.object({
  name: SandboxName,
  result: z.enum(['pass', 'fail', 'unavailable']),
  details: z.record(z.string(), z.string()).meta({
    description: 'What it runs on: version, platform, accelerator and the like, by name.',
  }),
  failure: Failure.optional().meta({
    description: 'Why it is unavailable, with the remedy as hint, or what failed first.',
  }),
  checks: z.array(ContractCheck).max(100),
  trials: z.array(SelftestTrials).max(100),
  contractMs: durationMs,
  trialsMs: durationMs,
});
export type SelftestSandbox = z.output<typeof SelftestSandbox>;

/** The report of `lockstep selftest`. */
export const SelftestReport = z
  .object({
    ...protocolField,
    lockstepVersion: z.string().max(64),
    startedAtUtcMs: z.int().meta({ description: 'Start by the wall clock, ms since 1970.' }),
    durationMs,
    secondsOfTrials: z.number().min(0).meta({ description: 'What was asked for, all kinds, s.' }),
    device: DeviceFacts,
    isolation: z.enum(['root', 'user', 'none']).meta({
      description: 'As whom the namespaces of the measuring process are made.',
    }),
    schedulingClass: z.string().max(64).meta({
      description: 'Scheduling class and priority of the measuring process.',
    }),
    cgroupReason: z.string().max(512).optional().meta({
      description: 'Which controllers are missing and why. Absent if all are there.',
    }),
    result: z.enum(['pass', 'fail', 'unavailable']).meta({
      description: 'fail: one kind failed. unavailable: none could be tested.',
    }),
    sandboxes: z.array(SelftestSandbox).max(100),
  })
  .meta({ description: 'What a device proved about its kinds of sandbox.' });
export type SelftestReport = z.output<typeof SelftestReport>;

/** A line that the testing process tells its parent: how far it is, a kind that is done, all. */
export const SelftestEvent = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('progress'),
    sandbox: SandboxName,
    part: z.enum(['contract', 'trials']),
    what: z.string().max(300).meta({ description: 'The check or the procedure that begins.' }),
    done: z.int().min(0).meta({ description: 'Kinds of sandbox through with this part.' }),
    total: z.int().min(1).meta({ description: 'Kinds of sandbox of this part.' }),
    leftMs: z.number().min(0).meta({ description: 'Until all ends, by what it took so far, ms.' }),
  }),
  z.object({
    event: z.literal('part'),
    part: z.enum(['contract', 'trials']),
    sandbox: SelftestSandbox.meta({ description: 'As far as it is known then.' }),
  }),
  z.object({ event: z.literal('report'), report: SelftestReport }),
]);
export type SelftestEvent = z.output<typeof SelftestEvent>;
