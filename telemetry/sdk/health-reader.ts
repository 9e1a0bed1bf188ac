import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { AggregationTemporality, MetricReader } from '@opentelemetry/sdk-metrics';
import type { ExportOptions } from './batching-processors.ts';
import { settledWithin } from '../settled-within.ts';
import { compressed, giveTo } from './payload-batches.ts';

/** Health is told this often, ms. */
const EVERY_MS = 15_000;

/** Time to collect and hand over what is collected at the end, ms. */
const LAST_TIMEOUT_MS = 4000;

/** Time for the instruments to answer, ms. */
const COLLECT_TIMEOUT_MS = 2000;

/**
 * Collects the instruments every 15 s, and a last time at the end, into payloads for the sink;
 * sums are cumulative. While nothing may be exported a turn waits until it may.
 */
export class HealthReader extends MetricReader {
  readonly #options: ExportOptions;
  readonly #timer: NodeJS.Timeout;
  #collecting: Promise<void> | undefined;
  #lost = 0;
  #isDue = false;

  constructor(options: ExportOptions & { readonly everyMs?: number }) {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#isDue = true;
      this.nudge();
    }, options.everyMs ?? EVERY_MS);
    this.#timer.unref();
  }

  /** Points that the sink did not take. */
  get lost(): number {
    return this.#lost;
  }

  /** Collects now if a turn is due and it may. */
  nudge(): void {
    if (!this.#isDue || !this.#options.mayExport()) return;
    this.#isDue = false;
    void this.#tell();
  }

  /** Collects now and hands it over; resolves when that is done or the time is over. */
  async flush(timeoutMs: number): Promise<void> {
    await settledWithin(this.#tell(), timeoutMs);
  }

  protected override async onForceFlush(): Promise<void> {
    await this.flush(LAST_TIMEOUT_MS);
  }

  protected override async onShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush(LAST_TIMEOUT_MS);
  }

  #tell(): Promise<void> {
    this.#collecting ??= this.#collectOnce().finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  async #collectOnce(): Promise<void> {
    let points = 0;
    try {
      const { resourceMetrics } = await this.collect({ timeoutMillis: COLLECT_TIMEOUT_MS });
      for (const { metrics } of resourceMetrics.scopeMetrics) {
        for (const { dataPoints } of metrics) points += dataPoints.length;
      }
      if (points === 0) return;
      const request = ProtobufMetricsSerializer.serializeRequest(resourceMetrics);
      if (request === undefined) throw new Error('metrics could not be encoded');
      const bytes = await compressed(request);
      const { sink } = this.#options;
      if (await giveTo(sink, { signal: 'metrics', bytes, items: points })) return;
    } catch {
      // Counted below: telemetry must never end what it tells of.
    }
    this.#lost += points;
  }
}
