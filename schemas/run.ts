import { z } from 'zod';
import { Device } from './device.ts';
import { Experiment } from './experiment.ts';
import { Failure } from './failure.ts';
import { Look, Stopped } from './look.ts';
import { Plan } from './plan.ts';
import { protocolField } from './protocol.ts';
import { Provenance } from './provenance.ts';
import { RecordedSandboxName } from './sandbox.ts';
import { Digest, Identifier } from './units.ts';

/** The states of a run; the last four are ends. */
export const RunState = z
  .enum(['queued', 'preparing', 'running', 'completed', 'cancelled', 'failed', 'interrupted'])
  .meta({
    description:
      'queued: waits for devices. preparing: devices fetch and check. running: trials go on. ' +
      'completed: every trial was done, or the stop rule ended it. cancelled: by a person. ' +
      'failed: could not go on. ' +
      'interrupted: the coordinator stopped.',
  });
export type RunState = z.output<typeof RunState>;

const recordedFactors = Experiment.shape.factors.shape;

/**
 * An experiment in a record. It was checked when it was submitted, and may name kinds of sandbox
 * that this release has no driver for.
 */
export const RecordedExperiment = z.object({
  ...Experiment.shape,
  factors: z.object({
    ...recordedFactors,
    sandbox: z.array(RecordedSandboxName).min(1).max(256),
    function: z.array(Identifier).min(1).max(256),
    instances: z.array(z.int().min(1).max(1024)).min(1).max(1024),
  }),
  order: Plan.shape.order.default('randomised-blocks'),
});
export type RecordedExperiment = z.output<typeof RecordedExperiment>;

/** Length and digest of a file that only grows, when it was last recorded as complete. */
const FileEnd = z.object({ bytes: z.int().min(0), lines: z.int().min(0), digest: Digest });

/** What says whether `results.ndjson` is whole, and was not changed. */
export const ResultsFile = z.object({
  lineCheck: z.literal('crc-32').optional().meta({
    description: 'Every line ends with its checksum. Absent if lines need not have one.',
  }),
  end: FileEnd.optional().meta({
    description:
      'Length and digest of the file when it was last recorded as complete; lines that came ' +
      'after are beyond it. Absent until the run ended.',
  }),
});
export type ResultsFile = z.output<typeof ResultsFile>;

/** The record of a run: `run.json` in its folder. */
export const Run = z.object({
  ...protocolField,
  runId: Identifier,
  experiment: RecordedExperiment,
  state: RunState,
  failure: Failure.optional().meta({ description: 'Why it ended. Absent unless it ended badly.' }),
  waitingFor: z.array(Identifier).optional().meta({
    description: 'The runs it is queued behind. Absent unless queued.',
  }),
  submittedAtUtcMs: z.int(),
  startedAtUtcMs: z.int().optional().meta({ description: 'Absent until the first trial.' }),
  endedAtUtcMs: z.int().optional().meta({ description: 'Absent until it ended.' }),
  devices: z.array(Device).meta({ description: 'The frozen list, as the devices were then.' }),
  functions: z.array(z.object({ name: Identifier, digest: Digest })),
  guestKernelDigest: Digest.optional(),
  tools: z
    .array(z.object({ name: Identifier, digest: Digest }))
    .exactOptional()
    .meta({ description: 'Programs for the devices. Absent: none.' }),
  fleetTime: z.string().max(128).optional().meta({
    description: 'The clock that is fleet time. Absent before the first trial.',
  }),
  trialsPlanned: z.int().min(0),
  trialsDone: z.int().min(0),
  stopped: Stopped.optional().meta({
    description: 'How its stop rule ended it. Absent without one, and for other ends.',
  }),
  coordinatorVersion: z.string().max(64),
  resultsFile: ResultsFile.optional().meta({ description: 'Absent in runs of older releases.' }),
  samplesFile: z
    .object({
      end: FileEnd.meta({
        description: 'Of samples.ndjson, of which every line has its checksum; as of the results.',
      }),
    })
    .optional()
    .meta({ description: 'Absent until the run ended, and if nothing was sampled.' }),
  provenance: Provenance.optional().meta({
    description: 'Where an imported run comes from. Absent for a run of this tool.',
  }),
});
export type Run = z.output<typeof Run>;

/** True if the run will not change any more. */
export function isEnded(state: RunState): boolean {
  return !['queued', 'preparing', 'running'].includes(state);
}

const eventBase = {
  ...protocolField,
  runId: Identifier,
  atUtcMs: z.int().meta({ description: 'When, ms since 1970, for people.' }),
};
const trialEvent = { trialId: Identifier, attempt: z.int().min(1) };

/** One entry of the run ledger. */
export const LedgerEvent = z.discriminatedUnion('event', [
  z.object({
    ...eventBase,
    event: z.literal('state'),
    state: RunState,
    reason: Failure.optional(),
  }),
  z.object({ ...eventBase, event: z.literal('planned'), trials: z.int().min(0) }),
  z.object({
    ...eventBase,
    ...trialEvent,
    event: z.literal('armed'),
    devices: z.array(Identifier),
  }),
  z.object({ ...eventBase, ...trialEvent, event: z.literal('gone'), startAtFleetNs: z.string() }),
  z.object({ ...eventBase, ...trialEvent, event: z.literal('stood-down'), reason: Failure }),
  z.object({
    ...eventBase,
    ...trialEvent,
    event: z.literal('done'),
    ok: z.int().min(0),
    failed: z.int().min(0),
  }),
  z.object({
    ...eventBase,
    event: z.literal('samples-missing'),
    trials: z.int().min(1).meta({ description: "Devices' parts in trials that lack some." }),
    blocks: z.int().min(1).meta({ description: 'Blocks that were announced and did not come.' }),
  }),
  z.object({ ...eventBase, event: z.literal('look'), ...Look.shape }),
  z.object({ ...eventBase, event: z.literal('stopped'), ...Stopped.shape }),
]);
export type LedgerEvent = z.output<typeof LedgerEvent>;

/** What people who watch a run are told, as it happens. */
export const Progress = z.object({
  ...protocolField,
  runId: Identifier,
  state: RunState,
  trialsDone: z.int().min(0),
  trialsPlanned: z.int().min(0),
  message: z.string().max(1024).meta({ description: 'What happened, as a line for people.' }),
  failure: Failure.optional().meta({ description: 'Absent unless something failed.' }),
  isDecision: z.boolean().optional().meta({
    description: 'True of what must not be passed over: what the stop rule decided.',
  }),
  etaMs: z.number().min(0).optional().meta({
    description: 'Estimated time to the end, ms. Absent if unknown.',
  }),
});
export type Progress = z.output<typeof Progress>;
