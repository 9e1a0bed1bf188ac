import { z } from 'zod';
import { ClockEstimate } from './clock.ts';
import { Failure } from './failure.ts';
import { Measurement, MEASUREMENTS_MAX } from './measurement.ts';
import { protocolField } from './protocol.ts';
import { RecordedSandboxName } from './sandbox.ts';
import { TrialTelemetryRecord } from './telemetry.ts';
import { Digest, Identifier, Nanoseconds } from './units.ts';

/** The named instants of one sandbox's life, in order; see ARCHITECTURE.md. */
export const PHASES = [
  'request',
  'spawn',
  'gateOpen',
  'guestEntry',
  'appMain',
  'ready',
  'call',
  'firstByte',
  'lastByte',
  'teardownBegin',
  'teardownEnd',
] as const;
export type Phase = (typeof PHASES)[number];

const stamp = (description: string): z.ZodOptional<typeof Nanoseconds> =>
  Nanoseconds.optional().meta({
    description: `${description} CLOCK_MONOTONIC of the device, ns. Absent if it was not seen.`,
  });

/** When each phase began, on the device's own CLOCK_MONOTONIC. */
export const PhaseStamps = z
  .object({
    request: stamp('The runner decided to start the sandbox.'),
    spawn: stamp("The runtime's command was released to run."),
    gateOpen: stamp('The waiting child saw that it may run, by its own first look at the clock.'),
    guestEntry: stamp("The guest kernel handed over to the guest's first program."),
    appMain: stamp("The function's main began."),
    ready: stamp('The function said that it listens.'),
    call: stamp('The runner began to call the function.'),
    firstByte: stamp('The first byte of the first response arrived.'),
    lastByte: stamp('The last byte of the first response arrived.'),
    teardownBegin: stamp('The runner began to stop the sandbox.'),
    teardownEnd: stamp('Nothing of the sandbox was left.'),
  })
  .meta({ description: 'Instants of one sandbox.' });
export type PhaseStamps = z.output<typeof PhaseStamps>;

/** What one sandbox used, read from its cgroup after its first response. */
export const SandboxUsage = z.object({
  memoryBytes: z.int().min(0).optional().meta({
    description: 'Memory charged to the sandbox, bytes. Absent if it could not be read.',
  }),
  memoryPeakBytes: z.int().min(0).optional().meta({
    description: 'Highest memory charged so far, bytes. Absent if it could not be read.',
  }),
  cpuNs: Nanoseconds.optional().meta({
    description: 'CPU time used so far, ns. Absent if it could not be read.',
  }),
  unavailable: z.string().max(512).optional().meta({
    description: 'Why a value is absent. Absent if none is.',
  }),
});
export type SandboxUsage = z.output<typeof SandboxUsage>;

/** One sandbox of a trial: what happened to it and when. */
export const Instance = z.object({
  index: z.int().min(0).max(4095).meta({ description: 'Number within the trial, from 0.' }),
  address: z.string().max(64).meta({ description: 'IP address of the function.' }),
  status: z.enum(['ok', 'failed']),
  failure: Failure.optional().meta({ description: 'Absent if the status is ok.' }),
  failedAfter: z.enum(PHASES).optional().meta({
    description: 'The last phase that was reached before the failure. Absent if ok.',
  }),
  logTail: z.string().max(16_384).optional().meta({
    description: 'The end of what the sandbox printed. Present if the instance failed.',
  }),
  httpStatus: z.int().optional().meta({ description: 'Status of the response. Absent if none.' }),
  responseBytes: z.int().min(0).optional().meta({ description: 'Body size. Absent if none.' }),
  phases: PhaseStamps,
  usage: SandboxUsage.optional().meta({ description: 'Absent if the instance failed early.' }),
});
export type Instance = z.output<typeof Instance>;

/** How a device started a trial. */
export const StartRecord = z.object({
  targetFleetNs: Nanoseconds.meta({ description: 'The instant ordered, fleet time, ns.' }),
  targetMonoNs: Nanoseconds.meta({ description: 'The same on own CLOCK_MONOTONIC, ns.' }),
  actualMonoNs: Nanoseconds.meta({ description: 'When the start happened, same clock, ns.' }),
  latenessNs: Nanoseconds.meta({ description: 'Actual minus target, ns. Negative is early.' }),
  schedulingClass: z.string().max(64).meta({
    description: 'Scheduling class and priority of the measuring process, e.g. SCHED_OTHER 0.',
  }),
  schedulingReason: z.string().max(512).optional().meta({
    description: 'Why that is no real-time class. Absent if it is.',
  }),
  wave: z.int().min(0).max(999).default(0).meta({
    description: 'The part of the fleet that the device started with, from 0. Absent: 0.',
  }),
  startedAtUtcNs: Nanoseconds.meta({
    description: 'The actual start by the wall clock, ns since 1970, for people only.',
  }),
});
export type StartRecord = z.output<typeof StartRecord>;

/** How a device passed a named barrier of a procedure. */
export const BarrierRecord = z.object({
  name: Identifier,
  arrivedMonoNs: Nanoseconds.meta({ description: 'When it got there, own CLOCK_MONOTONIC, ns.' }),
  targetMonoNs: Nanoseconds.meta({ description: 'When all were to go on, same clock, ns.' }),
  actualMonoNs: Nanoseconds.meta({ description: 'When this device went on, same clock, ns.' }),
});
export type BarrierRecord = z.output<typeof BarrierRecord>;

/** Every kind of disturbance that makes a result invalid. */
export const INVALID_CODES = {
  'late-start': 'The start was later than the budget.',
  'late-barrier': 'The device went on from a barrier later than the budget.',
  'clock-bound': 'The bound of the clock was over the budget.',
  'clock-step': 'A clock of the device, or of the timekeeper, was stepped during the trial.',
  'clock-unbracketed': 'There was no burst of clock probes after the trial.',
  'clock-changed': 'Fleet time was another clock after the trial than before.',
  paused: 'The measuring process, or the machine, stood still during the trial.',
  leftover: 'Something of a sandbox remained after it was removed.',
  'page-cache': 'The page cache was not in the state that the procedure asks for.',
  'duplicated-row': 'The row repeats another one of the file that it was imported from.',
} as const;
export type InvalidCode = keyof typeof INVALID_CODES;
const invalidCodes = Object.keys(INVALID_CODES) as [InvalidCode, ...InvalidCode[]];

/** A reason why a result must not be trusted as a measurement. The result is kept all the same. */
export const InvalidMark = z.object({
  code: z.enum(invalidCodes).meta({ description: 'The kind of disturbance.' }),
  message: z.string().max(1024).meta({ description: 'What was seen, with which value.' }),
});
export type InvalidMark = z.output<typeof InvalidMark>;

/** One combination of the experiment's factors. */
export const Cell = z.object({
  id: z.string().max(200).meta({ description: 'The factors in one string.' }),
  sandbox: RecordedSandboxName,
  function: Identifier,
  instances: z.int().min(1).max(1024).meta({ description: 'Sandboxes started at once.' }),
});
export type Cell = z.output<typeof Cell>;

/** What one device reports of one trial. A failure is a result too. */
export const TrialResult = z
  .object({
    ...protocolField,
    runId: Identifier,
    trialId: Identifier,
    attempt: z.int().min(1).meta({ description: 'From 1; a repeated trial counts up.' }),
    deviceId: Identifier,
    cell: Cell,
    reportedBy: z.enum(['device', 'coordinator', 'import']).meta({
      description:
        'The coordinator reports in place of a device that was lost or declined. import: read ' +
        'from a file of another tool, see the provenance of the run.',
    }),
    status: z.enum(['ok', 'failed']).meta({
      description: 'Failed if the trial or any of its instances failed.',
    }),
    failure: Failure.optional().meta({ description: 'Absent if the status is ok.' }),
    invalid: z.array(InvalidMark).max(64).meta({ description: 'Empty if nothing disturbed it.' }),
    clock: ClockEstimate.optional().meta({ description: 'Absent if the device never armed.' }),
    start: StartRecord.optional().meta({ description: 'Absent if the trial never started.' }),
    barriers: z.array(BarrierRecord).max(16).default([]).meta({
      description: 'The barriers that it passed, in order. Absent: none.',
    }),
    instances: z.array(Instance).max(1024),
    hostMemoryDropBytes: z
      .int()
      .min(0)
      .optional()
      .meta({
        description:
          'By how much all sandboxes of the trial together lowered the memory that the host had ' +
          'available, bytes. Absent if it was not measured.',
      }),
    measurements: z.array(Measurement).max(MEASUREMENTS_MAX).exactOptional().meta({
      description: 'What the procedure measured beside the phases. Absent: nothing.',
    }),
    conditions: z
      .record(z.string().max(64), z.string().max(256))
      .exactOptional()
      .meta({
        description:
          'Under which conditions it was measured, by name: state of the page cache, file ' +
          'system, network path and the like. What could not be measured, and why. Absent: none.',
      }),
    telemetry: TrialTelemetryRecord.optional().meta({
      description: 'How it was sampled. Absent if it was not to be, or never started.',
    }),
    functionDigest: Digest.optional().meta({ description: 'Absent if it never armed.' }),
    sandboxDetails: z.record(z.string().max(64), z.string().max(256)).meta({
      description: 'What the sandbox ran on, as in its availability.',
    }),
  })
  .meta({ description: "One device's result of one trial." });
export type TrialResult = z.output<typeof TrialResult>;

/** The key under which a result exists once, whatever is delivered twice. */
export function resultKey(
  result: Pick<TrialResult, 'runId' | 'trialId' | 'deviceId' | 'attempt'>,
): string {
  return `${result.runId}/${result.trialId}/${result.deviceId}/${result.attempt}`;
}
