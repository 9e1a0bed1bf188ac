import { z } from 'zod';
import { Failure } from '../../schemas/failure.ts';
import { RATE_MAX_HZ, SamplerReport, SourceName } from '../../schemas/telemetry.ts';
import { SAMPLED_METRIC_NAMES } from '../../schemas/telemetry-names.ts';
import { Identifier } from '../../schemas/units.ts';

const Folder = z.string().min(1).max(4096);
const Words = z.string().max(4096);
const Attributes = z.record(z.string().max(256), z.string().max(1024));
const Bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);

const CgroupFolders = z.object({
  mode: z.enum(['v1', 'v2', 'none']),
  cpu: Folder.exactOptional(),
  cpuacct: Folder.exactOptional(),
  memory: Folder.exactOptional(),
  io: Folder.exactOptional(),
  pids: Folder.exactOptional(),
  processes: Folder.exactOptional(),
  reason: Words.exactOptional(),
});

const VmmTarget = z.object({
  vcpus: z.int().min(0).max(4096),
  vcpuThreadPrefix: z.string().max(64),
  qmpSocket: Folder.exactOptional(),
  metricsFile: Folder.exactOptional(),
  kvmUnavailable: Words.exactOptional(),
});

const SandboxTarget = z.object({
  index: z.int().min(0).max(4095),
  id: z.string().max(256),
  cgroup: CgroupFolders,
  networkInterface: z.string().max(64).exactOptional(),
  vmm: VmmTarget.exactOptional(),
});

const SampleOrder = z.object({
  trial: z.object({
    runId: Identifier,
    trialId: Identifier,
    attempt: z.int().min(1),
    deviceId: Identifier,
  }),
  rateHz: z.number().gt(0).max(RATE_MAX_HZ),
  sources: z.array(SourceName).max(64).exactOptional(),
  sandboxes: z.array(SandboxTarget).max(4096),
  exportAs: Attributes.exactOptional(),
  sandboxAttributes: Attributes.exactOptional(),
});

const FinalReading = z.object({
  instance: z.int().min(0).max(4095),
  source: SourceName,
  atMonoNs: z.bigint(),
  readings: z
    .array(
      z.object({
        metric: z.enum(SAMPLED_METRIC_NAMES),
        attributes: Attributes.exactOptional(),
        value: z.number().or(z.nan()),
      }),
    )
    .max(4096),
});

const Open = z.object({
  order: SampleOrder,
  roots: z.object({ proc: Folder, sys: Folder, dev: Folder }),
  maxBytes: z.int().min(1),
});

/** What the agent asks its sampler. The two are of one release, so there is no version here. */
export const SAMPLER_METHODS = {
  open: { params: Open, result: z.object({}) },
  begin: { params: z.object({}), result: z.object({}) },
  takeSoFar: { params: z.object({ utcMinusMonoNs: z.bigint() }), result: z.object({}) },
  end: {
    params: z.object({ finals: z.array(FinalReading).max(65_536), utcMinusMonoNs: z.bigint() }),
    result: z.object({ report: SamplerReport }),
  },
  abandon: { params: z.object({}), result: z.object({}) },
} as const;

export type SamplerMethod = keyof typeof SAMPLER_METHODS;
export type SamplerParams<M extends SamplerMethod> = z.output<
  (typeof SAMPLER_METHODS)[M]['params']
>;
export type SamplerResult<M extends SamplerMethod> = z.output<
  (typeof SAMPLER_METHODS)[M]['result']
>;

/** A message from agent to sampler. */
export const SamplerRequest = z.object({
  id: z.int().min(1),
  method: z.enum(Object.keys(SAMPLER_METHODS) as [SamplerMethod, ...SamplerMethod[]]),
  params: z.unknown(),
});

/** A message from sampler to agent: that it is there, a part of an answer, or its end. */
export const SamplerReply = z.union([
  z.object({ ready: z.object({ schedulingClass: z.string(), cpus: z.string() }) }),
  z.object({
    id: z.int(),
    part: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('block'), bytes: Bytes }),
      z.object({ kind: z.literal('metrics'), bytes: Bytes, points: z.int().min(0) }),
    ]),
  }),
  z.object({ id: z.int(), failure: Failure }),
  z.object({ id: z.int(), result: z.unknown() }),
]);
export type SamplerReply = z.output<typeof SamplerReply>;
