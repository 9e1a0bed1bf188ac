import { createNoopMeter, trace } from '@opentelemetry/api';
import type { Telemetry, TelemetryOptions } from './telemetry.ts';

/**
 * Starts the OpenTelemetry SDK for one service, set up from the options alone: no variable, no
 * detector and no other library's default adds an exporter or an attribute. It is registered
 * nowhere, so a process may have several and no library can write to it. Loading it takes some
 * 0.2 s, which is saved if it is turned off.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  if (isDisabled(options.environment)) return nothing();
  const { startSdk } = await import('./node-sdk.ts');
  return startSdk(options);
}

/** As the specification has it: true in any case of letters; everything else is false. */
function isDisabled(environment: TelemetryOptions['environment']): boolean {
  return environment['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true';
}

function nothing(): Telemetry {
  return {
    isOn: false,
    tracer: trace.getTracer('lockstep'),
    meter: createNoopMeter(),
    logs: undefined,
    lost: () => ({ traces: 0, metrics: 0, logs: 0 }),
    nudge: () => undefined,
    flush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}
