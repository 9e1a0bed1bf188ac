import { z } from 'zod';
import { protocolField } from './protocol.ts';
import { SOURCE_NAMES } from './telemetry-names.ts';
import { Identifier, Nanoseconds } from './units.ts';

/** The highest rate that can be asked for: timers are not exact enough for more. */
export const RATE_MAX_HZ = 1000;

/** What is sampled; see telemetry-names.ts. */
export const SourceName = z.enum(SOURCE_NAMES).meta({ description: 'A source of samples.' });

/** Attributes of one series. */
const SeriesAttributes = z.record(z.string().max(64), z.string().max(128)).meta({
  description: 'What tells the series of one metric apart.',
});

/** What is sampled during trials, as an experiment states it and devices are told. */
export const TelemetryPlan = z.object({
  rateHz: z
    .int()
    .min(0)
    .max(RATE_MAX_HZ)
    .meta({
      description:
        'Samples of each source per second; 0: none are taken. At most 1000: no counter changes ' +
        'more often. A source that changes more slowly is read at its own rate; results say so.',
    }),
  sources: z.array(SourceName).max(64).optional().meta({
    description: 'The sources to sample. Absent: all that the device has.',
  }),
  live: z.boolean().meta({
    description: 'Send while trials run. Otherwise nothing is sent until they have ended.',
  }),
});
export type TelemetryPlan = z.output<typeof TelemetryPlan>;

/** One source in a trial: how it was sampled, or why it was not. */
export const SourceReport = z.object({
  source: SourceName,
  instance: z.int().min(0).max(4095).optional().meta({
    description: 'Number of the sandbox that it is about. Absent: the whole device.',
  }),
  rateHz: z.number().min(0).optional().meta({
    description: 'The rate that it was sampled at. Absent if it was not.',
  }),
  limitedBy: z.string().max(512).optional().meta({
    description: 'Why that is below the rate asked for. Absent if it is not.',
  }),
  samples: z.int().min(0).meta({ description: 'Readings taken, each of all its series.' }),
  unavailable: z.string().max(512).optional().meta({
    description: 'Why there are none. Absent if there are.',
  }),
  remedy: z.string().max(512).optional().meta({
    description: 'What would make it available. Absent if nothing is known.',
  }),
});
export type SourceReport = z.output<typeof SourceReport>;

/** How well, and at what cost, a trial was sampled. */
export const SamplerReport = z.object({
  rateHz: z.number().min(0).meta({ description: 'The rate asked for.' }),
  achievedHz: z.number().min(0).meta({ description: 'Rounds done per second.' }),
  rounds: z.int().min(0).meta({ description: 'Rounds done.' }),
  missed: z.int().min(0).meta({ description: 'Rounds left out, as the one before was late.' }),
  latenessP50Ns: Nanoseconds.meta({ description: 'Median lateness of a round, ns.' }),
  latenessP99Ns: Nanoseconds.meta({ description: '99th percentile of it, ns.' }),
  latenessMaxNs: Nanoseconds.meta({ description: 'The latest round, ns.' }),
  cpuNs: Nanoseconds.meta({ description: 'CPU time of the sampler while it sampled, ns.' }),
  wallNs: Nanoseconds.meta({ description: 'How long it sampled, ns.' }),
  cpus: z.string().max(256).meta({ description: 'Processors that it could run on, as a list.' }),
  samples: z.int().min(0).meta({ description: 'Values taken.' }),
  thinnedBy: z.int().min(1).meta({
    description: 'Of so many rounds one was kept, for want of memory; 1: all.',
  }),
  blocks: z.int().min(0).meta({ description: 'Blocks of samples that the device sends.' }),
  sources: z.array(SourceReport).max(20_000),
});
export type SamplerReport = z.output<typeof SamplerReport>;

/** What a result says of its telemetry. */
export const TrialTelemetryRecord = z.union([
  SamplerReport,
  z.object({
    failure: z.string().max(1024).meta({ description: 'Why the trial was not sampled.' }),
  }),
]);
export type TrialTelemetryRecord = z.output<typeof TrialTelemetryRecord>;

/** The most rounds of one group in a block. */
export const BLOCK_ROUNDS_MAX = 8192;

/** Readings of one source at the same instants. */
export const SampleGroup = z.object({
  source: SourceName,
  instance: z.int().min(0).max(4095).optional(),
  firstMonoNs: Nanoseconds.meta({ description: 'First instant, CLOCK_MONOTONIC of the device.' }),
  stepsNs: z.array(z.int().min(0)).max(BLOCK_ROUNDS_MAX).meta({
    description: 'From each instant to the next, ns; one fewer than there are instants.',
  }),
  series: z
    .array(
      z.object({
        metric: z.string().max(128),
        unit: z.string().max(32),
        attributes: SeriesAttributes.optional(),
        values: z.array(z.number().nullable()).max(BLOCK_ROUNDS_MAX).meta({
          description: 'A value per instant; null where it was not there.',
        }),
      }),
    )
    .max(4096),
});
export type SampleGroup = z.output<typeof SampleGroup>;

/** A part of the samples of one trial on one device: a line of samples.ndjson. */
export const SampleBlock = z.object({
  ...protocolField,
  runId: Identifier,
  trialId: Identifier,
  attempt: z.int().min(1),
  deviceId: Identifier,
  sequence: z.int().min(0).max(99_999).meta({ description: 'Number of the block, from 0.' }),
  utcMinusMonoNs: Nanoseconds.meta({
    description:
      'UTC, as the machine of fleet time has it, minus CLOCK_MONOTONIC of the device, ns. What ' +
      'is exported has instants by it.',
  }),
  groups: z.array(SampleGroup).max(4096),
});
export type SampleBlock = z.output<typeof SampleBlock>;

/** The key under which a block exists once, whatever is delivered twice. */
export function sampleBlockKey(
  block: Pick<SampleBlock, 'runId' | 'trialId' | 'deviceId' | 'attempt' | 'sequence'>,
): string {
  const { runId, trialId, deviceId, attempt, sequence } = block;
  return `${runId}/${trialId}/${deviceId}/${attempt}/${sequence}`;
}
