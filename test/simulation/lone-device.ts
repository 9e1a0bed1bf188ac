import { pino } from 'pino';
import { Synchroniser } from '../../agent/clock/synchroniser.ts';
import type { ProbeAnswer, TimeProbe } from '../../agent/clock/time-probe.ts';
import { RunSession } from '../../agent/run-session.ts';
import type { SessionPorts } from '../../agent/run-session.ts';
import { LockstepError } from '../../schemas/errors.ts';
import type { ArmRequest, PrepareRequest } from '../../schemas/messages.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { WarpedClock } from '../support/warped-clock.ts';
import type { Warp } from '../support/warped-clock.ts';
import { SimulatedRunner } from './simulated-runner.ts';
import type { SimulatedRunnerOptions } from './simulated-runner.ts';
import { NO_TELEMETRY } from './no-telemetry.ts';

/** What a lone device is made of; everything has a default. */
export interface LoneDeviceOptions {
  readonly warp?: Warp;
  readonly runner?: SimulatedRunnerOptions;
  /** Way to the timekeeper and back of the n-th probe, ms. */
  readonly delaysMs?: (probe: number) => readonly [number, number];
  /** What the coordinator answers at a barrier. */
  readonly askBarrier?: SessionPorts['askBarrier'];
}

/** What became of one trial. */
export interface TrialEnd {
  readonly trialId: string;
  /** What arm or go was refused with. Absent if the trial went. */
  readonly refusal?: LockstepError;
  /** Absent if it was refused. */
  readonly result?: TrialResult;
  /** True time before arm, once armed, and once the result was kept or the trial refused, ns. */
  readonly begunTrueNs: bigint;
  readonly armedTrueNs: bigint;
  readonly endedTrueNs: bigint;
}

const LEAD_NS = 50_000_000n;

const CELL = { id: 'process,hello', sandbox: 'process', function: 'hello', instances: 1 } as const;
const DIGEST = `sha256:${'0'.repeat(64)}`;
const PREPARE: PrepareRequest = {
  protocol: PROTOCOL_VERSION,
  runId: 'run',
  cells: [CELL],
  functions: [{ name: 'hello', digest: DIGEST }],
  limits: { memoryMib: 64, cpus: 1 },
};

/**
 * One device's run session with the real synchroniser, a simulated runner, and a timekeeper at the
 * other end of a slow way; all on one simulated true clock, which passes only by being used.
 */
export class LoneDevice {
  /** True time. */
  readonly truth: SimulatedClock;
  readonly clock: WarpedClock;
  /** The timekeeper's clock. */
  readonly fleetClock: WarpedClock;
  readonly runner: SimulatedRunner;
  /** Name of the timekeeper's clock; change it to change the timekeeper. */
  fleetTime = 'timekeeper-1';
  /** False while nobody answers probes. */
  answersProbes = true;
  /** Probes sent so far. */
  probes = 0;
  readonly #options: LoneDeviceOptions;
  #session: RunSession | undefined;
  #kept: PromiseWithResolvers<TrialResult> = Promise.withResolvers();

  private constructor(options: LoneDeviceOptions) {
    this.#options = options;
    this.truth = new SimulatedClock({ readNs: 200n });
    this.clock = new WarpedClock(this.truth, options.warp);
    this.fleetClock = new WarpedClock(this.truth, { offsetNs: 77_000_000_000n });
    this.runner = new SimulatedRunner(this.clock, options.runner);
  }

  /** A device that is prepared for a run. */
  static async open(options: LoneDeviceOptions = {}): Promise<LoneDevice> {
    const device = new LoneDevice(options);
    device.#session = await RunSession.open(PREPARE, device.#ports());
    return device;
  }

  get session(): RunSession {
    return this.#session!;
  }

  /** Fleet time minus own CLOCK_MONOTONIC in truth, when the own clock shows this, ns. */
  trueOffsetNs(monoNs: bigint): bigint {
    return this.fleetClock.toOwn(this.clock.toTrue(monoNs)) - monoNs;
  }

  /** Arms a trial. */
  arm(trialId: string, change: Partial<ArmRequest> = {}): ReturnType<RunSession['arm']> {
    return this.session.arm({
      protocol: PROTOCOL_VERSION,
      runId: PREPARE.runId,
      trialId,
      attempt: 1,
      cell: CELL,
      procedure: 'no-op',
      readyTimeoutMs: 1000,
      latenessBudgetNs: 20_000_000n,
      clockBoundBudgetNs: 20_000_000n,
      wave: 0,
      probesMax: 40,
      probeDelayMs: 0,
      ...change,
    });
  }

  /** Lets an armed trial go, and resolves with its result. */
  async go(trialId: string, fleetTime?: string): Promise<TrialResult> {
    this.#kept = Promise.withResolvers();
    await this.session.go({
      protocol: PROTOCOL_VERSION,
      runId: PREPARE.runId,
      trialId,
      attempt: 1,
      startAtFleetNs: this.fleetClock.monotonicNs() + LEAD_NS,
      ...(fleetTime === undefined ? {} : { fleetTime }),
    });
    return this.#kept.promise;
  }

  /** Takes a trial from arm to its end. */
  async trial(trialId: string, betweenArmAndGo: () => void = () => undefined): Promise<TrialEnd> {
    const begunTrueNs = this.truth.nowMonoNs;
    let armedTrueNs = begunTrueNs;
    let end: Pick<TrialEnd, 'refusal' | 'result'>;
    try {
      await this.arm(trialId);
      armedTrueNs = this.truth.nowMonoNs;
      betweenArmAndGo();
      end = { result: await this.go(trialId) };
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      end = { refusal: error };
    }
    return { trialId, ...end, begunTrueNs, armedTrueNs, endedTrueNs: this.truth.nowMonoNs };
  }

  #ports(): SessionPorts {
    const { clock } = this;
    return {
      deviceId: 'device-1',
      cgroupName: 'device-1',
      scratchFolder: '/nowhere',
      clock,
      synchroniser: new Synchroniser({ clock, probe: this.#probe() }),
      probe: () => Promise.resolve([]),
      artefacts: { equip: () => Promise.resolve({ functions: [], tools: {} }) },
      startRunner: () => Promise.resolve(this.runner),
      schedulingClass: 'SIMULATED',
      schedulingReason: undefined,
      askBarrier: this.#options.askBarrier ?? (() => Promise.reject(new Error('no barriers'))),
      telemetry: NO_TELEMETRY,
      logger: pino({ level: 'silent' }),
      keep: (result) => {
        this.#kept.resolve(result);
        return Promise.resolve();
      },
    };
  }

  #probe(): TimeProbe {
    return {
      exchange: async (timeoutMs): Promise<ProbeAnswer> => {
        const [outMs, backMs] = this.#options.delaysMs?.(this.probes) ?? [0.3, 0.3];
        this.probes += 1;
        if (!this.answersProbes) {
          await this.truth.sleep(timeoutMs);
          throw new LockstepError('DEADLINE_EXCEEDED', 'the timekeeper did not answer');
        }
        const sentAtMonoNs = this.clock.monotonicNs();
        await this.truth.sleep(outMs);
        const receivedAtFleetNs = this.fleetClock.monotonicNs();
        const answeredAtFleetNs = this.fleetClock.monotonicNs();
        const { fleetTime } = this;
        await this.truth.sleep(backMs);
        const returnedAtMonoNs = this.clock.monotonicNs();
        return {
          exchange: { sentAtMonoNs, receivedAtFleetNs, answeredAtFleetNs, returnedAtMonoNs },
          fleetTime,
        };
      },
    };
  }
}
