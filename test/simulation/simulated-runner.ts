import type { Clock } from '../../agent/clock/clock.ts';
import { BarrierPasser } from '../../agent/runner/barrier-passer.ts';
import type { BarrierArrival, RunnerPort } from '../../agent/runner/port.ts';
import type { RunnerMethod, RunnerParams, RunnerResult } from '../../agent/runner/protocol.ts';
import { awaitInstant } from '../../agent/runner/start-barrier.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { fromFailure } from '../../schemas/failure.ts';

/** How a simulated runner behaves; everything has a default. */
export interface SimulatedRunnerOptions {
  /** Named barriers that each trial passes after its start. */
  readonly barriers?: readonly string[];
  /** Called when `start` was asked, before the wait for the instant. */
  readonly beforeStart?: (trialId: string) => void | Promise<void>;
  /** Called once the trial has started, before its barriers. */
  readonly whileGoing?: (trialId: string) => void | Promise<void>;
  /** The pause that it reports, ns. */
  readonly longestPauseNs?: bigint;
}

interface Trial {
  readonly trialId: string;
  readonly abort: AbortController;
  readonly barriers: BarrierPasser;
}

type Methods = {
  readonly [M in RunnerMethod]: (params: RunnerParams<M>) => Promise<RunnerResult<M>>;
};

/**
 * A measuring process without a process: the real start barrier and the real named barriers on any
 * clock, around a trial that starts nothing.
 */
export class SimulatedRunner implements RunnerPort {
  onBarrier: (arrival: BarrierArrival) => void = () => undefined;
  /** What it was asked, in order. */
  readonly asked: RunnerMethod[] = [];
  readonly #clock: Clock;
  readonly #options: SimulatedRunnerOptions;
  readonly #methods: Methods;
  #trial: Trial | undefined;
  #isAlive = true;

  constructor(clock: Clock, options: SimulatedRunnerOptions = {}) {
    this.#clock = clock;
    this.#options = options;
    this.#methods = {
      setUp: () => Promise.resolve({ schedulingClass: 'SIMULATED', processId: process.pid }),
      probe: ({ sandbox }) =>
        Promise.resolve({ available: true, name: sandbox, details: {}, probeMs: 0 }),
      arm: ({ trialId }) => this.#arm(trialId),
      start: (params) => this.#start(params),
      release: (params) => this.#release(params),
      standDown: ({ trialId }) => this.#standDown(trialId),
    };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  call<M extends RunnerMethod>(method: M, params: RunnerParams<M>): Promise<RunnerResult<M>> {
    this.asked.push(method);
    if (this.#isAlive) return this.#methods[method](params);
    return Promise.reject(new LockstepError('RUNNER_LOST', 'the measuring process is gone'));
  }

  close(): Promise<void> {
    this.kill();
    return Promise.resolve();
  }

  kill(): void {
    this.#isAlive = false;
    this.#trial?.abort.abort();
  }

  #arm(trialId: string): Promise<RunnerResult<'arm'>> {
    if (this.#trial !== undefined) {
      const message = `trial ${this.#trial.trialId} is still armed or going`;
      return Promise.reject(new LockstepError('AGENT_BUSY', message));
    }
    const abort = new AbortController();
    const barriers = new BarrierPasser(this.#clock, abort.signal, (name) => {
      this.onBarrier({ trialId, name });
    });
    this.#trial = { trialId, abort, barriers };
    return Promise.resolve({ sandboxDetails: {}, targets: [] });
  }

  async #start({ trialId, targetMonoNs }: RunnerParams<'start'>): Promise<RunnerResult<'start'>> {
    const { abort, barriers } = this.#trialNamed(trialId);
    try {
      await this.#options.beforeStart?.(trialId);
      const actualMonoNs = await awaitInstant(this.#clock, targetMonoNs, abort.signal);
      if (actualMonoNs === undefined) throw new LockstepError('CANCELLED', 'stood down');
      const startedAtUtcNs = this.#clock.utcNs();
      await this.#options.whileGoing?.(trialId);
      for (const name of this.#options.barriers ?? []) await barriers.pass(name);
      return {
        actualMonoNs,
        startedAtUtcNs,
        longestPauseNs: this.#options.longestPauseNs ?? 0n,
        barriers: barriers.records,
        instances: [],
        leftovers: [],
        finals: [],
      };
    } finally {
      this.#trial = undefined;
    }
  }

  #release(params: RunnerParams<'release'>): Promise<RunnerResult<'release'>> {
    const { trialId, name, targetMonoNs, failure } = params;
    const broken = failure ?? { code: 'BARRIER_BROKEN' as const, message: 'given up' };
    this.#trialNamed(trialId).barriers.release(name, targetMonoNs ?? fromFailure(broken));
    return Promise.resolve({});
  }

  #standDown(trialId: string): Promise<RunnerResult<'standDown'>> {
    if (this.#trial?.trialId === trialId) {
      this.#trial.abort.abort();
      this.#trial = undefined;
    }
    return Promise.resolve({ leftovers: [] });
  }

  #trialNamed(trialId: string): Trial {
    if (this.#trial?.trialId === trialId) return this.#trial;
    throw new LockstepError('NOT_FOUND', `trial ${trialId} is not armed`);
  }
}
