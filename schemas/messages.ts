import { z } from 'zod';
import { ClockEstimate, ClockSurvey, FleetTimeName } from './clock.ts';
import { Failure } from './failure.ts';
import { Procedure, ProcedureKind } from './procedure.ts';
import { protocolField } from './protocol.ts';
import { Cell } from './result.ts';
import { RecordedSandboxName, SandboxLimits } from './sandbox.ts';
import { TelemetryPlan } from './telemetry.ts';
import { Digest, Identifier, Nanoseconds } from './units.ts';

const trialFields = {
  runId: Identifier,
  trialId: Identifier,
  attempt: z.int().min(1).max(1000),
};

/** A command done, with nothing to add. A refusal travels as an error instead. */
const Done = z.object({ ...protocolField });

/** prepare: fetch the artefacts of a run, start the measuring process, set up what is reused. */
export const PrepareRequest = z.object({
  ...protocolField,
  runId: Identifier,
  cells: z.array(Cell).min(1).max(1024),
  functions: z
    .array(z.object({ name: Identifier, digest: Digest }))
    .min(1)
    .max(64)
    .meta({ description: 'The functions of the cells, by the digest of their manifest.' }),
  guestKernelDigest: Digest.optional().meta({
    description: 'The kernel for microVM guests. Absent if no cell needs it.',
  }),
  tools: z
    .array(z.object({ name: Identifier, digest: Digest }))
    .max(16)
    .optional()
    .meta({
      description:
        'Programs that the procedure needs on the device, by the digest of their manifest. ' +
        'Absent: none.',
    }),
  limits: SandboxLimits,
  telemetry: TelemetryPlan.optional().meta({
    description: 'What to sample. Absent: nothing, as a coordinator of an older release asks.',
  }),
  exportsTelemetry: z.boolean().optional().meta({
    description:
      'True if somebody takes what is exported, so that encoding it is of use. Absent: nobody.',
  }),
  experiment: z.string().max(64).optional().meta({
    description: 'Name of the experiment, for what is exported.',
  }),
});
export type PrepareRequest = z.output<typeof PrepareRequest>;

/** arm: set up what is not timed, synchronise the clock, be ready to start at an instant. */
export const ArmRequest = z.object({
  ...protocolField,
  ...trialFields,
  cell: Cell,
  procedure: ProcedureKind,
  parameters: Procedure.optional().meta({
    description: 'The procedure with its parameters. Absent: those that it has by default.',
  }),
  seed: z.int().min(0).max(0xffff_ffff).optional().meta({
    description: 'Of what is random within the trial. Absent: 0.',
  }),
  readyTimeoutMs: z.int().min(100).max(600_000),
  latenessBudgetNs: Nanoseconds,
  clockBoundBudgetNs: Nanoseconds,
  wave: z.int().min(0).max(999).default(0).meta({
    description: 'The part of the fleet that the device starts with, from 0. Absent: 0.',
  }),
  probesMax: z.int().min(4).max(1000).default(40).meta({
    description: 'Clock probes per burst, at most: a large fleet must do with fewer. Absent: 40.',
  }),
  probeDelayMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(0)
    .meta({
      description:
        'Wait before each burst of clock probes, so that bursts of many devices do not meet, ms. ' +
        'Absent: 0.',
    }),
});
export type ArmRequest = z.output<typeof ArmRequest>;
export const ArmReply = z.object({ ...protocolField, clock: ClockEstimate });
export type ArmReply = z.output<typeof ArmReply>;

/** go: the instant at which an armed trial starts. */
export const GoRequest = z.object({
  ...protocolField,
  ...trialFields,
  startAtFleetNs: Nanoseconds.meta({ description: 'The instant, in fleet time, ns.' }),
  fleetTime: FleetTimeName.optional().meta({
    description: "The clock that the instant is on. Absent: that of the device's estimate.",
  }),
  utcMinusFleetNs: Nanoseconds.optional().meta({
    description:
      'UTC minus fleet time, as the coordinator has it, ns: instants that are exported are on ' +
      'one line by it. Absent: the device uses its own UTC.',
  }),
});
export type GoRequest = z.output<typeof GoRequest>;
export const GoReply = z.object({
  ...protocolField,
  marginNs: Nanoseconds.meta({
    description: 'Time left until the instant when the message arrived, ns.',
  }),
});
export type GoReply = z.output<typeof GoReply>;

/** stand-down: give up an armed or going trial. */
export const StandDownRequest = z.object({ ...protocolField, ...trialFields, reason: Failure });
export type StandDownRequest = z.output<typeof StandDownRequest>;

/** release: the run is over for this device. */
export const ReleaseRequest = z.object({ ...protocolField, runId: Identifier });
export type ReleaseRequest = z.output<typeof ReleaseRequest>;

/** clock: measure the clock now, for a survey of the fleet. */
const ClockRequest = z.object({ ...protocolField });
export const ClockReply = z.object({ ...protocolField, survey: ClockSurvey });
export type ClockReply = z.output<typeof ClockReply>;

/**
 * barrier: a device has reached a named point of a trial and asks when all go on. The answer comes
 * when every device of the trial's wave has reached it; if one can't any more, it is an error.
 */
const BarrierRequest = z.object({
  ...protocolField,
  ...trialFields,
  name: Identifier.meta({ description: 'Name of the barrier within the procedure.' }),
});
export type BarrierRequest = z.output<typeof BarrierRequest>;
const BarrierReply = z.object({
  ...protocolField,
  startAtFleetNs: Nanoseconds.meta({ description: 'When all go on, fleet time, ns.' }),
  fleetTime: FleetTimeName,
});
export type BarrierReply = z.output<typeof BarrierReply>;

/** The exchange of a barrier, asked by the device. */
export const BARRIER = { request: BarrierRequest, reply: BarrierReply } as const;

/**
 * probe: find out whether kinds of sandbox work, by starting a function in each. Answered at once;
 * what was found stands in the device's presence when it is idle again.
 */
const ProbeRequest = z.object({
  ...protocolField,
  sandboxes: z.array(RecordedSandboxName).min(1).max(64),
});
export type ProbeRequest = z.output<typeof ProbeRequest>;

/** Every command of the coordinator to a device: what is asked, what is answered. */
export const COMMANDS = {
  prepare: { request: PrepareRequest, reply: Done },
  arm: { request: ArmRequest, reply: ArmReply },
  go: { request: GoRequest, reply: GoReply },
  'stand-down': { request: StandDownRequest, reply: Done },
  release: { request: ReleaseRequest, reply: Done },
  probe: { request: ProbeRequest, reply: Done },
  clock: { request: ClockRequest, reply: ClockReply },
} as const;

/** What a device sends to the timekeeper. */
export const TimeProbe = z.object({ ...protocolField });

/** The timekeeper's answer: when it received and answered, on the clock that is fleet time. */
export const TimeReply = z.object({
  ...protocolField,
  fleetTime: FleetTimeName,
  receivedAtFleetNs: Nanoseconds,
  answeredAtFleetNs: Nanoseconds,
});
export type TimeReply = z.output<typeof TimeReply>;
