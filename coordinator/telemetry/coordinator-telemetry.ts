import type { Tracer } from '@opentelemetry/api';
import type { Logger } from 'pino';
import type { Bus } from '../../bus/bus.ts';
import type { LogOutlet } from '../../telemetry/log-outlet.ts';
import { logStream, telemetryLogger } from '../../telemetry/sdk/pino-log-stream.ts';
import { watchEventLoop } from '../../telemetry/sdk/process-health.ts';
import { startTelemetry } from '../../telemetry/sdk/set-up.ts';
import type { Telemetry } from '../../telemetry/sdk/telemetry.ts';
import { Drainer } from '../../telemetry/spool/drainer.ts';
import { NatsDestination } from '../../telemetry/spool/nats-destination.ts';
import { openSpool } from '../../telemetry/spool/spool.ts';
import type { Spool } from '../../telemetry/spool/spool.ts';
import { observeCoordinator } from './coordinator-health.ts';
import type { CoordinatorHealth } from './coordinator-health.ts';
import { coordinatorResource } from './coordinator-resource.ts';

/** What a coordinator's telemetry is made of. */
export interface CoordinatorTelemetryOptions {
  readonly bus: Bus;
  /** Folder for what waits to be sent; one process at a time. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Log lines go on from there into telemetry. Absent: they do not. */
  readonly logOutlet?: LogOutlet;
}

interface Parts {
  readonly spool: Spool;
  readonly drainer: Drainer;
  readonly sdk: Telemetry;
  readonly trials: { going: number };
}

const FLUSH_TIMEOUT_MS = 1500;

/**
 * How a coordinator traces runs and tells of itself. What it exports goes the way of the devices':
 * into a spool on disk, and from there into the stream that the relay reads. While a trial goes
 * nothing is exported, since devices may be on the same machine.
 */
export class CoordinatorTelemetry {
  readonly #options: CoordinatorTelemetryOptions;
  readonly #parts: Parts;
  readonly #eventLoop = watchEventLoop();

  private constructor(options: CoordinatorTelemetryOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    const { logs } = parts.sdk;
    if (logs !== undefined) options.logOutlet?.attach(logStream(logs, () => undefined));
  }

  /**
   * Opens the spool, with what an earlier coordinator left in it, and starts to collect.
   *
   * @throws LockstepError STORAGE_FAILED if the spool can't be opened.
   */
  static async open(options: CoordinatorTelemetryOptions): Promise<CoordinatorTelemetry> {
    const { bus, folder, environment } = options;
    const logger = telemetryLogger(options.logger);
    const spool = await openSpool({ folder, logger });
    const drainer = new Drainer(spool, new NatsDestination(bus), logger);
    const trials = { going: 0 };
    const sdk = await startTelemetry({
      service: 'lockstep-coordinator',
      resource: coordinatorResource(),
      sink: spool,
      environment,
      mayExport: () => trials.going === 0,
    });
    return new CoordinatorTelemetry(options, { spool, drainer, sdk, trials });
  }

  /** Takes the spans of runs and trials. */
  get tracer(): Tracer {
    return this.#parts.sdk.tracer;
  }

  /** To be told when a trial begins and ends that nothing may be exported during. */
  readonly onQuiet = (isQuiet: boolean): void => {
    const { trials, drainer, sdk } = this.#parts;
    trials.going += isQuiet ? 1 : -1;
    if (isQuiet) drainer.pause();
    else if (trials.going === 0) {
      drainer.resume();
      sdk.nudge();
    }
  };

  /** Begins to send, and to tell how the coordinator is. The stream of telemetry must exist. */
  start(health: Omit<CoordinatorHealth, 'lost'>): void {
    const { sdk, spool, drainer } = this.#parts;
    drainer.start();
    const lost: CoordinatorHealth['lost'] = () => {
      const inSdk = sdk.lost();
      const { lostItems } = spool.statistics;
      return {
        traces: inSdk.traces + lostItems.traces,
        metrics: inSdk.metrics + lostItems.metrics,
        logs: inSdk.logs + lostItems.logs,
      };
    };
    observeCoordinator(sdk.meter, { ...health, lost }, this.#eventLoop);
  }

  /** Puts what waits into the stream, as far as 1.5 s allow. */
  async flush(): Promise<void> {
    await this.#parts.sdk.flush(FLUSH_TIMEOUT_MS);
    await this.#parts.drainer.flush(FLUSH_TIMEOUT_MS);
  }

  /** Sends what it can; the rest stays on disk for the next start. */
  async stop(): Promise<void> {
    const { sdk, drainer, spool } = this.#parts;
    this.#options.logOutlet?.detach();
    await sdk.shutdown();
    await drainer.flush(FLUSH_TIMEOUT_MS);
    await drainer.close();
    await spool.close();
    this.#eventLoop.stop();
  }
}
