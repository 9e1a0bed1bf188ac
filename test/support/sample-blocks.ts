import { gzipSync } from 'node:zlib';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { SampleBlock } from '../../schemas/telemetry.ts';
import type { SampleGroup, SamplerReport } from '../../schemas/telemetry.ts';

/** A device's part in a trial. */
type Part = Pick<SampleBlock, 'runId' | 'trialId' | 'attempt' | 'deviceId'>;

/** What is in a block, unless it is said otherwise. */
export interface BlockOptions {
  readonly sequence?: number;
  /** First instant, CLOCK_MONOTONIC, ns. */
  readonly firstMonoNs?: bigint;
  readonly rounds?: number;
  readonly stepNs?: number;
}

/** A block as a sampler makes it: CPU time and memory of a sandbox, busy time of processors. */
export function makeBlock(part: Part, options: BlockOptions = {}): SampleBlock {
  const { sequence = 0, rounds = 20, stepNs = 10_000_000 } = options;
  const firstMonoNs = options.firstMonoNs ?? 1_000_000_000_000n;
  const times = { firstMonoNs, stepsNs: Array.from({ length: rounds - 1 }, () => stepNs) };
  const values = (valueOf: (round: number) => number): number[] =>
    Array.from({ length: rounds }, (_, round) => valueOf(sequence * rounds + round));
  const groups: SampleGroup[] = [
    {
      source: 'host-cpu',
      ...times,
      series: ['0', '1'].map((processor) => ({
        metric: 'lockstep.host.cpu.busy.time',
        unit: 's',
        attributes: { 'cpu.logical_number': processor },
        values: values((round) => 100 + round * 0.005 * (Number(processor) + 1)),
      })),
    },
    {
      source: 'cgroup-cpu',
      instance: 0,
      ...times,
      series: [
        { metric: 'container.cpu.time', unit: 's', values: values((round) => round * 0.004) },
      ],
    },
    {
      source: 'cgroup-memory',
      instance: 0,
      ...times,
      series: [
        {
          metric: 'container.memory.usage',
          unit: 'By',
          values: values((round) => 4096 * (1000 + round)),
        },
      ],
    },
  ];
  return { protocol: PROTOCOL_VERSION, ...part, sequence, utcMinusMonoNs: 5n, groups };
}

/** The part of a trial that a result is of. */
export function partOf({ runId, trialId, attempt, deviceId }: TrialResult): Part {
  return { runId, trialId, attempt, deviceId };
}

/** A block as JSON on one line. */
export function blockJson(block: SampleBlock): string {
  return JSON.stringify(SampleBlock.encode(block));
}

/** A block as a device sends it. */
export function blockMessage(block: SampleBlock): Uint8Array {
  return gzipSync(blockJson(block));
}

/** What a sampler that did well says. */
export function makeReport(changes: Partial<SamplerReport> = {}): SamplerReport {
  return {
    rateHz: 100,
    achievedHz: 99.9,
    rounds: 100,
    missed: 0,
    latenessP50Ns: 60_000n,
    latenessP99Ns: 200_000n,
    latenessMaxNs: 900_000n,
    cpuNs: 20_000_000n,
    wallNs: 1_000_000_000n,
    cpus: '1',
    samples: 400,
    thinnedBy: 1,
    blocks: 1,
    sources: [{ source: 'cgroup-cpu', instance: 0, rateHz: 100, samples: 100 }],
    ...changes,
  };
}
