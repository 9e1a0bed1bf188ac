import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Bus } from '../../bus/bus.ts';
import type { Outbox } from '../../bus/outbox.ts';
import { errorMessageOf } from '../../schemas/errors.ts';
import { samplesSubject } from '../../schemas/subjects.ts';
import { sampleBlockKey } from '../../schemas/telemetry.ts';
import { openEndpoint } from '../../telemetry/endpoints/open-endpoint.ts';
import { endpointsFromEnvironment } from '../../telemetry/endpoints/environment.ts';
import type { LogOutlet } from '../../telemetry/log-outlet.ts';
import { SIGNALS } from '../../telemetry/payload.ts';
import type { PayloadSink, Signal } from '../../telemetry/payload.ts';
import { logStream, telemetryLogger } from '../../telemetry/sdk/pino-log-stream.ts';
import { watchEventLoop } from '../../telemetry/sdk/process-health.ts';
import { startTelemetry } from '../../telemetry/sdk/set-up.ts';
import type { Telemetry } from '../../telemetry/sdk/telemetry.ts';
import { Drainer } from '../../telemetry/spool/drainer.ts';
import { fanOut } from '../../telemetry/spool/fan-out.ts';
import { NatsDestination } from '../../telemetry/spool/nats-destination.ts';
import { openSpool } from '../../telemetry/spool/spool.ts';
import type { Spool } from '../../telemetry/spool/spool.ts';
import type { DeviceTelemetry, TracedTrial, TraceHeaders } from '../device-telemetry.ts';
import { SamplerClient } from '../sampler/client.ts';
import type { SampledSoFar, SampledTrial, SamplerPort } from '../sampler/protocol.ts';
import { observeAgent } from './agent-health.ts';
import type { AgentHealth } from './agent-health.ts';
import { isThrottledNow } from './throttle-state.ts';
import { TrialTracer } from './trial-tracer.ts';

/** What an agent's telemetry is made of. */
export interface AgentTelemetryOptions {
  /** Attributes of the device as they are exported. */
  readonly resource: Readonly<Record<string, string>>;
  /** Folder for what waits to be sent. */
  readonly folder: string;
  /** Takes blocks of samples. */
  readonly samplesOutbox: Outbox;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Log lines go on from there into telemetry. Absent: they do not. */
  readonly logOutlet?: LogOutlet;
}

/** What is told of an agent's health that others know. */
export type KnownHealth = Pick<AgentHealth, 'outboxPending' | 'clockBoundNs' | 'state'>;

interface Way {
  readonly spool: Spool;
  /** Set once there is something to send over. */
  drainer?: Drainer;
}

interface Parts {
  readonly coordinator: Way;
  readonly direct: readonly Way[];
  readonly sink: PayloadSink;
  readonly sdk: Telemetry;
  /** True while a trial is timed that nothing may disturb. */
  readonly quiet: { isTimed: boolean };
}

const FLUSH_TIMEOUT_MS = 1500;
const CLOSE_TIMEOUT_MS = 500;

/**
 * How an agent samples, traces and tells of itself. Everything goes into a spool on disk for the
 * coordinator, and into another for each endpoint that OTEL_EXPORTER_OTLP_* variables name.
 */
export class AgentTelemetry implements DeviceTelemetry {
  readonly resource: Readonly<Record<string, string>>;
  readonly logger: Logger;
  readonly #options: AgentTelemetryOptions;
  readonly #parts: Parts;
  readonly #tracer: TrialTracer;
  readonly #eventLoop = watchEventLoop();
  readonly #trials = { ok: 0, failed: 0 };

  private constructor(options: AgentTelemetryOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.resource = options.resource;
    this.logger = telemetryLogger(options.logger);
    this.#tracer = new TrialTracer(parts.sdk.tracer);
    if (parts.sdk.logs === undefined) return;
    options.logOutlet?.attach(logStream(parts.sdk.logs, () => this.#tracer.current));
  }

  /**
   * Opens the spools, with what an earlier agent left in them, and starts to collect.
   *
   * @throws LockstepError ENDPOINTS_INVALID if the OTEL_EXPORTER_OTLP_* variables have mistakes,
   * STORAGE_FAILED if a spool can't be opened.
   */
  static async open(options: AgentTelemetryOptions): Promise<AgentTelemetry> {
    const { environment, folder, resource } = options;
    const logger = telemetryLogger(options.logger);
    const spoolOf = (name: string): Promise<Spool> =>
      openSpool({ folder: join(folder, name), logger });
    const coordinator: Way = { spool: await spoolOf('coordinator') };
    const direct: Way[] = [];
    for (const settings of endpointsFromEnvironment(environment)) {
      const spool = await spoolOf(`direct-${settings.name}`);
      direct.push({ spool, drainer: new Drainer(spool, openEndpoint(settings), logger) });
    }
    const quiet = { isTimed: false };
    const sink = fanOut([coordinator, ...direct].map(({ spool }) => spool));
    const sdk = await startTelemetry({
      ...{ service: 'lockstep-agent' as const, resource, sink, environment },
      mayExport: () => !quiet.isTimed,
    });
    return new AgentTelemetry(options, { coordinator, direct, sink, sdk, quiet });
  }

  get exportsDirectly(): boolean {
    return this.#parts.direct.length > 0 && this.#parts.sdk.isOn;
  }

  /** Begins to send, and to tell how the agent is. */
  start(bus: Bus, known: KnownHealth): void {
    const { coordinator, direct, sdk } = this.#parts;
    coordinator.drainer = new Drainer(coordinator.spool, new NatsDestination(bus), this.logger);
    for (const { drainer } of this.#ways) drainer?.start();
    const health: AgentHealth = {
      ...known,
      spool: () => ({
        pendingBytes: this.#sum(({ spool }) => spool.statistics.pendingBytes),
        pendingFiles: this.#sum(({ spool }) => spool.statistics.pendingFiles),
      }),
      lost: () => this.#lost(),
      trials: () => this.#trials,
      isThrottled: isThrottledNow,
    };
    observeAgent(sdk.meter, health, this.#eventLoop);
    if (direct.length === 0) return;
    this.logger.info({ endpoints: direct.length }, 'telemetry is sent to endpoints directly, too');
  }

  startSampler(): Promise<SamplerPort> {
    return SamplerClient.start({ logger: this.logger });
  }

  async keepBlocks(
    trial: SampledTrial,
    firstSequence: number,
    blocks: readonly Uint8Array[],
  ): Promise<void> {
    const { samplesOutbox } = this.#options;
    const subject = samplesSubject(trial.deviceId);
    await Promise.all(
      blocks.map((bytes, index) => {
        const id = sampleBlockKey({ ...trial, sequence: firstSequence + index });
        return samplesOutbox.add(subject, `samples/${id}`, bytes);
      }),
    );
  }

  async exportMetrics(metrics: SampledSoFar['metrics']): Promise<void> {
    if (!this.#parts.sdk.isOn) return;
    for (const { bytes, points } of metrics) {
      await this.#parts.sink.add({ signal: 'metrics', bytes, items: points });
    }
  }

  beginTrial(headers: TraceHeaders, isLive: boolean): void {
    this.#tracer.enter(headers);
    if (isLive) return;
    this.#parts.quiet.isTimed = true;
    for (const { drainer } of this.#ways) drainer?.pause();
    this.#options.samplesOutbox.hold();
  }

  traceTrial(trial: TracedTrial): void {
    this.#trials[trial.result.status] += 1;
    try {
      this.#tracer.trace(trial);
    } catch (error) {
      this.logger.warn({ error: errorMessageOf(error) }, 'spans of a trial not told');
    }
  }

  endTrial(): void {
    this.#tracer.leave();
    this.#parts.quiet.isTimed = false;
    for (const { drainer } of this.#ways) drainer?.resume();
    this.#parts.sdk.nudge();
    this.#options.samplesOutbox.letGo();
  }

  /** Sends what it can within 5 s; the rest stays on disk for the next start. */
  async stop(): Promise<void> {
    this.endTrial();
    this.#options.logOutlet?.detach();
    // It collects a last time, so it ends before what sends.
    await this.#parts.sdk.shutdown();
    const drainers = this.#ways.flatMap(({ drainer }) => (drainer === undefined ? [] : [drainer]));
    await Promise.all(drainers.map((drainer) => drainer.flush(FLUSH_TIMEOUT_MS)));
    await Promise.all(drainers.map((drainer) => drainer.close(CLOSE_TIMEOUT_MS)));
    await Promise.all(this.#ways.map(({ spool }) => spool.close()));
    this.#eventLoop.stop();
  }

  get #ways(): readonly Way[] {
    return [this.#parts.coordinator, ...this.#parts.direct];
  }

  #sum(of: (way: Way) => number): number {
    return this.#ways.reduce((sum, way) => sum + of(way), 0);
  }

  #lost(): Record<Signal, number> {
    const inSdk = this.#parts.sdk.lost();
    const lostOf = (signal: Signal): number =>
      inSdk[signal] + this.#sum(({ spool }) => spool.statistics.lostItems[signal]);
    const [traces, metrics, logs] = SIGNALS.map(lostOf);
    return { traces: traces ?? 0, metrics: metrics ?? 0, logs: logs ?? 0 };
  }
}
