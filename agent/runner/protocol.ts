import { z } from 'zod';
import { ArtefactManifest } from '../../schemas/artefact.ts';
import { Failure } from '../../schemas/failure.ts';
import { Measurement } from '../../schemas/measurement.ts';
import { Procedure } from '../../schemas/procedure.ts';
import { BarrierRecord, Cell, Instance, InvalidMark } from '../../schemas/result.ts';
import { SandboxAvailability, SandboxLimits, SandboxName } from '../../schemas/sandbox.ts';
import { SourceName } from '../../schemas/telemetry.ts';
import { SAMPLED_METRIC_NAMES } from '../../schemas/telemetry-names.ts';
import { Digest, Identifier, Nanoseconds } from '../../schemas/units.ts';
import type { SandboxTarget } from '../collectors/collector.ts';

/** A function as the agent hands it to the runner. */
const RunnerFunction = z.object({
  manifest: ArtefactManifest,
  digest: Digest,
  folder: z.string(),
});

const SetUp = z.object({
  cgroupName: Identifier,
  scratchFolder: z.string(),
  guestKernelFolder: z.string().optional(),
  imagesFolder: z.string().optional(),
  /** Folders of tools by the name of their artefact. */
  tools: z.record(z.string(), z.string()).optional(),
  functions: z.array(RunnerFunction),
  limits: SandboxLimits,
});

/** What can be sampled of a sandbox; agent and runner are of one release. */
const Target = z.custom<SandboxTarget>((value) => typeof value === 'object' && value !== null);

/** See {@link FinalReading}. */
const Final = z.object({
  instance: z.int().min(0),
  source: SourceName,
  atMonoNs: Nanoseconds,
  readings: z.array(
    z.object({
      metric: z.enum(SAMPLED_METRIC_NAMES),
      attributes: z.record(z.string(), z.string()).exactOptional(),
      value: z.number(),
    }),
  ),
});

const Arm = z.object({
  trialId: Identifier,
  cell: Cell,
  parameters: Procedure,
  seed: z.number(),
  /** True if the cgroups are to be read a last time before they are removed. */
  isSampled: z.boolean(),
});

const TrialOutcome = z.object({
  actualMonoNs: Nanoseconds,
  startedAtUtcNs: Nanoseconds,
  /** Longest time in which this process did nothing although it wanted to, ns. */
  longestPauseNs: Nanoseconds,
  barriers: z.array(BarrierRecord),
  instances: z.array(Instance),
  leftovers: z.array(z.string()),
  finals: z.array(Final),
  measurements: z.array(Measurement).optional(),
  conditions: z.record(z.string(), z.string()).optional(),
  invalid: z.array(InvalidMark).optional(),
});

/**
 * What the agent asks its runner, one JSON line each way over the runner's stdin and stdout. The
 * two are of one release and one machine, so there is no protocol version here.
 */
export const RUNNER_METHODS = {
  /** Says what the run needs; answered once, before anything else. */
  setUp: {
    params: SetUp,
    result: z.object({ schedulingClass: z.string(), processId: z.number() }),
  },
  /** Finds out, by starting a function in it, whether a kind of sandbox works. */
  probe: {
    params: z.object({ sandbox: SandboxName, timeoutMs: z.number() }),
    result: SandboxAvailability,
  },
  /** Does all of a trial that is not timed. */
  arm: {
    params: Arm,
    result: z.object({
      sandboxDetails: z.record(z.string(), z.string()),
      targets: z.array(Target),
    }),
  },
  /** Starts the armed trial at an instant and answers when it is over and cleaned up. */
  start: {
    params: z.object({ trialId: Identifier, targetMonoNs: Nanoseconds }),
    result: TrialOutcome,
  },
  /** Lets the going trial pass a barrier at an instant, or tells it why it can't. */
  release: {
    params: z.object({
      trialId: Identifier,
      name: Identifier,
      targetMonoNs: Nanoseconds.optional(),
      failure: Failure.optional(),
    }),
    result: z.object({}),
  },
  /** Gives an armed or going trial up, cleans up, then answers. */
  standDown: {
    params: z.object({ trialId: Identifier, reason: Failure }),
    result: z.object({ leftovers: z.array(z.string()) }),
  },
} as const;

export type RunnerMethod = keyof typeof RUNNER_METHODS;
export type RunnerParams<M extends RunnerMethod> = z.output<(typeof RUNNER_METHODS)[M]['params']>;
export type RunnerResult<M extends RunnerMethod> = z.output<(typeof RUNNER_METHODS)[M]['result']>;

/** A line from agent to runner. */
export const RunnerRequest = z.object({
  id: z.int().min(1),
  method: z.enum(Object.keys(RUNNER_METHODS) as [RunnerMethod, ...RunnerMethod[]]),
  params: z.unknown(),
});

/** A line from runner to agent: an answer, or that the going trial has reached a barrier. */
export const RunnerReply = z.union([
  z.object({ barrier: z.object({ trialId: Identifier, name: Identifier }) }),
  z.object({ id: z.int(), result: z.unknown() }),
  z.object({ id: z.int(), failure: Failure }),
]);
export type RunnerReply = z.output<typeof RunnerReply>;
