import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { SandboxTarget } from '../../../agent/collectors/collector.ts';
import type { SamplerClient } from '../../../agent/sampler/client.ts';
import { median } from '../../../coordinator/analysis/quantile.ts';
import { quantileInterval } from '../../../coordinator/analysis/statistics/quantile-interval.ts';
import { Random, shuffled } from '../../../coordinator/planning/random.ts';
import { orderOf } from './ours.ts';
import { busyPercentSince, readMachineTicks } from './process-cpu.ts';
import type { EffectRow } from './rows.ts';

const MAIN = join(import.meta.dirname, 'work/main.ts');
const ANSWER_TIMEOUT_MS = 60_000;
const SEED = 20_261_123;

/** The first rounds find cold caches, and end before the work begins. */
const SETTLE_MS = 20;

const Done = z.object({ wallNs: z.number(), cpuNs: z.number() });
type Done = z.output<typeof Done>;

/** A process on one processor that does the same work again and again. */
export class Neighbour implements AsyncDisposable {
  readonly #child: ChildProcess;
  #units = 1;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts it, and finds how much work takes so long. */
  static async start(cpu: number, workMs: number): Promise<Neighbour> {
    const words = ['--cpu-list', String(cpu), process.execPath, '--single-threaded-gc', MAIN];
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    const neighbour = new Neighbour(spawn('taskset', words, { stdio: [...stdio] }));
    // Compiled by then, and with all of its memory.
    for (let round = 0; round < 3; round += 1) {
      const { cpuNs } = await neighbour.work();
      neighbour.#units = Math.max(1, Math.round((neighbour.#units * workMs * 1e6) / cpuNs));
    }
    return neighbour;
  }

  /** Does the work once. */
  async work(): Promise<Done> {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const answer = once(this.#child, 'message', { signal });
    this.#child.send(this.#units);
    const [done] = (await answer) as [unknown];
    return Done.parse(done);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** How often to measure, and what. */
export interface EffectOptions {
  readonly sampler: SamplerClient;
  readonly neighbour: Neighbour;
  readonly target: SandboxTarget | undefined;
  readonly rateHz: number;
  readonly pairs: number;
}

/**
 * Compares the work with sampling on and off, one pair after the other, each in random order.
 * The time is that of the clock, and the time that the processor worked for it.
 */
export async function measureEffect(options: EffectOptions): Promise<EffectRow[]> {
  const { neighbour, rateHz, pairs } = options;
  const random = new Random(SEED + rateHz);
  const ratios: Record<keyof Done, number[]> = { wallNs: [], cpuNs: [] };
  const [ticks, startMs] = [readMachineTicks(), performance.now()];
  for (let pair = 0; pair < pairs; pair += 1) {
    const done: Record<'on' | 'off', Done | undefined> = { on: undefined, off: undefined };
    for (const state of shuffled(['on', 'off'] as const, random)) {
      done[state] = state === 'on' ? await whileSampling(options) : await neighbour.work();
    }
    if (done.on === undefined || done.off === undefined) continue;
    for (const time of ['wallNs', 'cpuNs'] as const) {
      ratios[time].push(done.on[time] / done.off[time]);
    }
  }
  const seconds = (performance.now() - startMs) / 1e3;
  const busyPercent = busyPercentSince(ticks);
  return (['wallNs', 'cpuNs'] as const).map((time) => {
    const interval = quantileInterval(ratios[time], 0.5);
    return {
      what: `${time === 'wallNs' ? 'time' : 'CPU time'} of work on another processor`,
      ...{ rateHz, pairs, seconds, busyPercent, ratio: median(ratios[time]) },
      ...{ lower: interval?.lower, upper: interval?.upper },
    };
  });
}

async function whileSampling({ sampler, neighbour, target, rateHz }: EffectOptions): Promise<Done> {
  await sampler.open(orderOf(rateHz, target));
  await sampler.begin();
  await delay(SETTLE_MS);
  try {
    return await neighbour.work();
  } finally {
    await sampler.abandon();
  }
}
