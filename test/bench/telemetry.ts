import type { SandboxTarget } from '../../agent/collectors/collector.ts';
import type { SamplerClient } from '../../agent/sampler/client.ts';
import { usableCpus } from '../../agent/sampler/placement.ts';
import type { Benchmark, BenchmarkContext, BenchmarkResult, BenchmarkValue } from './benchmark.ts';
import { interruptible } from './interruptible.ts';
import { measureEffect, Neighbour } from './telemetry/observer.ts';
import { measureSampler, orderOf, SAMPLERS, startSampler, warmUp } from './telemetry/ours.ts';
import { measurePeer, openPeers } from './telemetry/peers.ts';
import { costUs, effectValues, samplingValues, TELEMETRY_COLUMNS } from './telemetry/rows.ts';
import type { SamplingRound, SamplingRow } from './telemetry/rows.ts';
import { makeSampledCgroup } from './telemetry/sampled-cgroup.ts';

const RATES_HZ = [10, 100, 1000] as const;
const EFFECT_RATES_HZ = [100, 1000] as const;

/** Peers are held against the rate at which a sample of ours costs most. */
const COMPARED_RATE_HZ = 10;

/** How much to measure. */
export interface TelemetrySize {
  /** Everything takes turns so often. */
  readonly rounds: number;
  /** Of each sampler or peer, per round. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Pairs of work with sampling and without. */
  readonly pairs: number;
  /** What the work takes about, ms. */
  readonly workMs: number;
}

const SIZE_FULL = { rounds: 4, seconds: 5, warmUpSeconds: 5, pairs: 60, workMs: 250 };
const SIZE_QUICK = { rounds: 1, seconds: 1, warmUpSeconds: 0.5, pairs: 8, workMs: 50 };

const NOTES = [
  'cost: a sampler in its own process; CPU time of all its threads by schedstat, % of one ' +
    'processor; Max: of the rounds of this benchmark. files: of the kernel that it reads. ' +
    'Without limits: every file in every round, also those of which a higher rate only tells the ' +
    'same again.',
  'after: encoding what was sampled, as blocks and as OTLP, once the trial has ended. onTime: ' +
    'share of the rounds that began before the next was due. late: after they were due; medians.',
  `peer: the same counters of the host by others. timesOurs: CPU time per sample against ` +
    `lockstep without limits at ${COMPARED_RATE_HZ} Hz, which reads the sandbox as well. Of a ` +
    'server, its own CPU time and that of fetching its text, without looking for the numbers ' +
    'in it.',
  'systeminformation gives the same values again when it is asked within half a second. The ' +
    'daemon of Docker reads once a second, and an answer waits for that.',
  'effect: the same work on another processor with the sampler (without limits) on and off, in ' +
    'pairs of random order; n of them. ratio: median, with the interval of 95 % at least.',
  'machineBusy: all processors meanwhile, whatever ran on them, what is measured included.',
];

/** What sampling costs, what others cost, and what it does to the work beside it. */
export const telemetryBenchmark: Benchmark = {
  name: 'telemetry',
  description: 'What does a sample cost, what do others take for it, and does it disturb?',
  run: async (context) => {
    let result: BenchmarkResult | undefined;
    await interruptible(async (signal) => {
      result = await measureTelemetry(context, signal, context.full ? SIZE_FULL : SIZE_QUICK);
    });
    return result ?? { columns: TELEMETRY_COLUMNS, rows: [], notes: ['interrupted'] };
  },
};

/** Measures all. Without root there is no sandbox to sample, only the host. */
export async function measureTelemetry(
  { log }: Pick<BenchmarkContext, 'log'>,
  signal: AbortSignal,
  size: TelemetrySize,
): Promise<BenchmarkResult> {
  await using cleanUp = new AsyncDisposableStack();
  const teardown = (undo: () => Promise<void>): void => {
    cleanUp.defer(undo);
  };
  const notes = [...NOTES];
  const made = await makeSampledCgroup();
  if (typeof made === 'string') notes.push(`no sandbox is sampled: ${made}`);
  else cleanUp.use(made);
  const target = typeof made === 'string' ? undefined : made.target;
  const cpus = usableCpus();
  const { peers, missing } = await openPeers({ teardown });
  notes.push(...missing);
  const samplers: SamplerClient[] = [];
  for (const { entry } of SAMPLERS) {
    const sampler = await startSampler(entry, cpus.slice(0, 1));
    teardown(() => sampler.close());
    await warmUp(sampler, target, size.warmUpSeconds);
    samplers.push(sampler);
  }
  notes.push(`samplers: ${samplers[0]?.place.reason ?? ''}`);
  const contests: Contest[] = [
    ...RATES_HZ.flatMap((rateHz) =>
      SAMPLERS.flatMap(({ what }, index) => {
        const sampler = samplers[index];
        if (sampler === undefined) return [];
        const order = orderOf(rateHz, target);
        const measure = (): Promise<SamplingRound> => measureSampler(sampler, order, size.seconds);
        return [{ measured: 'cost', row: { what, rateHz, rounds: [] }, measure }];
      }),
    ),
    ...peers.map((peer) => ({
      measured: 'peer',
      row: { what: peer.what, rateHz: peer.rateHz, rounds: [] },
      measure: () => measurePeer(peer, size.seconds),
    })),
  ];
  for (let round = 0; round < size.rounds; round += 1) {
    for (const { row, measure } of contests) {
      signal.throwIfAborted();
      log(`round ${round + 1} of ${size.rounds}: ${row.what}, ${row.rateHz} Hz`);
      row.rounds.push(await measure());
    }
  }
  const effects = await measureEffects({ log, signal, size, target, cpus }, samplers.at(-1));
  if (typeof effects === 'string') notes.push(effects);
  const rows = [...contestRows(contests), ...(typeof effects === 'string' ? [] : effects)];
  return { columns: TELEMETRY_COLUMNS, rows, notes };
}

interface Contest {
  readonly measured: string;
  readonly row: SamplingRow;
  readonly measure: () => Promise<SamplingRound>;
}

function contestRows(contests: readonly Contest[]): BenchmarkValue[][] {
  const compared = contests.findLast(({ measured, row }) => {
    return measured === 'cost' && row.rateHz === COMPARED_RATE_HZ;
  });
  const oursUs = compared === undefined ? undefined : costUs(compared.row);
  return contests.map(({ measured, row }) => samplingValues(measured, row, oursUs));
}

interface EffectsContext extends Pick<BenchmarkContext, 'log'> {
  readonly signal: AbortSignal;
  readonly size: TelemetrySize;
  readonly target: SandboxTarget | undefined;
  readonly cpus: readonly number[];
}

async function measureEffects(
  { log, signal, size, target, cpus }: EffectsContext,
  sampler: SamplerClient | undefined,
): Promise<BenchmarkValue[][] | string> {
  const [cpu] = cpus;
  if (cpu === undefined || cpus.length < 2 || sampler === undefined) {
    return 'no effect was measured: that needs two processors';
  }
  await using neighbour = await Neighbour.start(cpu, size.workMs);
  const rows: BenchmarkValue[][] = [];
  for (const rateHz of EFFECT_RATES_HZ) {
    signal.throwIfAborted();
    log(`effect: ${size.pairs} pairs at ${rateHz} Hz`);
    const effects = await measureEffect({
      ...{ sampler, neighbour, target, rateHz, pairs: size.pairs },
    });
    rows.push(...effects.map((effect) => effectValues('effect', effect)));
  }
  return rows;
}
