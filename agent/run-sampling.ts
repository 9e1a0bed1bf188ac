import type { Logger } from 'pino';
import { errorMessageOf } from '../schemas/errors.ts';
import type { TelemetryPlan, TrialTelemetryRecord } from '../schemas/telemetry.ts';
import type { FinalReading } from './collectors/collector.ts';
import type { TrialOrder } from './sample-order.ts';
import type { SampledSoFar, SampleOrder, SamplerPort } from './sampler/protocol.ts';

/** What the sampling of a run needs of its agent. */
export interface SamplingPorts {
  readonly startSampler: () => Promise<SamplerPort>;
  /** Takes blocks of samples; resolves when they are safe from a crash of this process. */
  readonly keepBlocks: (
    trial: SampleOrder['trial'],
    firstSequence: number,
    blocks: readonly Uint8Array[],
  ) => Promise<void>;
  /** Takes encoded metrics to be exported. Never rejects: what can't be kept is counted there. */
  readonly exportMetrics: (metrics: SampledSoFar['metrics']) => Promise<void>;
  readonly logger: Logger;
}

/** How often samples are handed on during a trial whose experiment asks for that, ms. */
const LIVE_EVERY_MS = 1000;

interface SampledOrder {
  readonly order: SampleOrder;
  /** Why this trial is not sampled. Absent as long as it is. */
  failure?: string;
  begun?: Promise<void>;
  taking?: Promise<void>;
  timer?: NodeJS.Timeout;
  blocks: number;
}

/**
 * The sampling of one run on one device: a sampler of its own, started again when it is lost. That
 * it fails never fails a trial; its result says so instead.
 */
export class RunSampling {
  readonly #plan: TelemetryPlan;
  readonly #ports: SamplingPorts;
  #sampler: SamplerPort | undefined;
  #trial: SampledOrder | undefined;

  constructor(plan: TelemetryPlan, ports: SamplingPorts) {
    this.#plan = plan;
    this.#ports = ports;
  }

  /** False if the experiment asks for no samples. */
  get isWanted(): boolean {
    return this.#plan.rateHz > 0;
  }

  /** Starts the sampler, so that the first trial need not wait for it. Never rejects. */
  async warmUp(): Promise<void> {
    if (!this.isWanted) return;
    await this.#samplerOrThrow().catch((error: unknown) => {
      this.#ports.logger.warn({ error: errorMessageOf(error) }, 'the sampler did not start');
    });
  }

  /** Opens the sources of a trial that is being armed. Never rejects. */
  async open(parts: TrialOrder): Promise<void> {
    if (!this.isWanted) return;
    const { rateHz, sources } = this.#plan;
    const order = { ...parts, rateHz, ...(sources === undefined ? {} : { sources }) };
    const trial: SampledOrder = { order, blocks: 0 };
    this.#trial = trial;
    await this.#guard(trial, async () => {
      await (await this.#samplerOrThrow()).open(order);
    });
  }

  /** Begins, shortly before the start of the trial. Does not wait for the first sample. */
  begin(utcMinusMonoNs: () => bigint): void {
    const trial = this.#trial;
    if (trial === undefined || trial.failure !== undefined) return;
    trial.begun = this.#guard(trial, async () => this.#sampler?.begin());
    if (!this.#plan.live) return;
    trial.timer = setInterval(() => {
      trial.taking ??= this.#guard(trial, async () => {
        const soFar = await this.#sampler?.takeSoFar(utcMinusMonoNs());
        if (soFar !== undefined) await this.#keep(trial, soFar);
      }).finally(() => {
        delete trial.taking;
      });
    }, LIVE_EVERY_MS);
  }

  /** Ends; keeps what was sampled; returns what the result says of it. Never rejects. */
  async end(
    finals: readonly FinalReading[],
    utcMinusMonoNs: bigint,
  ): Promise<TrialTelemetryRecord | undefined> {
    const trial = this.#trial;
    this.#trial = undefined;
    if (trial === undefined) return undefined;
    clearInterval(trial.timer);
    await trial.begun;
    await trial.taking;
    let record: TrialTelemetryRecord | undefined;
    await this.#guard(trial, async () => {
      const sampled = await this.#sampler?.end(finals, utcMinusMonoNs);
      if (sampled === undefined) return;
      await this.#keep(trial, sampled);
      record = { ...sampled.report, blocks: trial.blocks };
    });
    return record ?? { failure: trial.failure ?? 'the sampler gave no report' };
  }

  /** Forgets the trial that is open or going. Never rejects. */
  async abandon(): Promise<void> {
    const trial = this.#trial;
    this.#trial = undefined;
    if (trial === undefined) return;
    clearInterval(trial.timer);
    await trial.begun;
    await trial.taking;
    if (trial.failure === undefined) await this.#guard(trial, async () => this.#sampler?.abandon());
  }

  /** Ends the sampler. */
  async close(): Promise<void> {
    await this.abandon();
    await this.#sampler?.close();
    this.#sampler = undefined;
  }

  async #samplerOrThrow(): Promise<SamplerPort> {
    if (this.#sampler?.isAlive === true) return this.#sampler;
    await this.#sampler?.close().catch(() => undefined);
    this.#sampler = await this.#ports.startSampler();
    return this.#sampler;
  }

  async #keep(trial: SampledOrder, { blocks, metrics }: SampledSoFar): Promise<void> {
    const first = trial.blocks;
    trial.blocks += blocks.length;
    await this.#ports.exportMetrics(metrics);
    await this.#ports.keepBlocks(trial.order.trial, first, blocks);
  }

  async #guard(trial: SampledOrder, work: () => Promise<void>): Promise<void> {
    if (trial.failure !== undefined) return;
    try {
      await work();
    } catch (error) {
      trial.failure = errorMessageOf(error).slice(0, 1024);
      const { trialId } = trial.order.trial;
      this.#ports.logger.warn({ trialId, error: trial.failure }, 'the trial is not sampled');
    }
  }
}
