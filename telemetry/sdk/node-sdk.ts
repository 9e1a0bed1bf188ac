import { logs, metrics, trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { AlwaysOnSampler, ParentBasedSampler } from '@opentelemetry/sdk-trace';
import { SCHEMA_URL } from '../../schemas/telemetry-names.ts';
import { VERSION } from '../../schemas/version.ts';
import { batchLogs, batchSpans } from './batching-processors.ts';
import { HealthReader } from './health-reader.ts';
import { settledWithin } from '../settled-within.ts';
import type { Telemetry, TelemetryOptions } from './telemetry.ts';

/** Time for everything that waits to reach the sink at the end, ms. */
const LAST_FLUSH_MS = 3000;

/** Time for the whole end, ms. */
const SHUTDOWN_MS = 4000;

/** Limits of a span, all stated, so that no variable of the environment changes them. */
const SPAN_LIMITS = {
  attributeCountLimit: 128,
  attributeValueLengthLimit: 4096,
  eventCountLimit: 256,
  linkCountLimit: 128,
  attributePerEventCountLimit: 32,
  attributePerLinkCountLimit: 32,
};

/** Starts the SDK; see {@link startTelemetry} in set-up.ts, which loads this file when needed. */
export function startSdk(options: TelemetryOptions): Telemetry {
  const { sink, mayExport = () => true, healthEveryMs } = options;
  const spans = batchSpans({ sink, mayExport });
  const records = batchLogs({ sink, mayExport });
  const every = healthEveryMs === undefined ? {} : { everyMs: healthEveryMs };
  const health = new HealthReader({ sink, mayExport, ...every });
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: resourceFromAttributes(
      { 'service.name': options.service, ...options.resource },
      { schemaUrl: SCHEMA_URL },
    ),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [spans],
    spanLimits: SPAN_LIMITS,
    metricReaders: [health],
    logRecordProcessors: [records],
    instrumentations: [],
    textMapPropagator: null,
    // The types leave it out, but null is what keeps the SDK from tracking asynchronous calls.
    ...({ contextManager: null } as object),
  });
  const instruments = takeInstruments(sdk);
  const flush = async (timeoutMs: number): Promise<void> => {
    // Health last: it tells what the others have lost.
    await Promise.all([spans.flush(timeoutMs), records.flush(timeoutMs)]);
    await health.flush(timeoutMs);
  };
  const end = async (): Promise<void> => {
    await Promise.all([spans.close(LAST_FLUSH_MS), records.close(LAST_FLUSH_MS)]);
    await sdk.shutdown();
  };
  let ended: Promise<void> | undefined;
  return {
    isOn: true,
    ...instruments,
    lost: () => ({ traces: spans.lost, metrics: health.lost, logs: records.lost }),
    nudge: () => {
      spans.nudge();
      records.nudge();
      health.nudge();
    },
    flush,
    shutdown: () => {
      const ending = end().catch(() => undefined);
      ended ??= settledWithin(ending, SHUTDOWN_MS);
      return ended;
    },
  };
}

/** Starts the SDK, takes its instruments, and removes it from where others would find it. */
function takeInstruments(sdk: NodeSDK): Pick<Telemetry, 'tracer' | 'meter' | 'logs'> {
  sdk.start();
  const scope = { schemaUrl: SCHEMA_URL };
  const instruments = {
    tracer: trace.getTracerProvider().getTracer('lockstep', VERSION, scope),
    meter: metrics.getMeterProvider().getMeter('lockstep', VERSION, scope),
    logs: logs.getLoggerProvider().getLogger('lockstep', VERSION, scope),
  };
  trace.disable();
  metrics.disable();
  logs.disable();
  return instruments;
}
