import { LockstepError } from '../../../schemas/errors.ts';
import { CHECK_SERVICE, makeCheckTrial } from '../../../telemetry/endpoints/check-trial.ts';
import type { CheckTrial } from '../../../telemetry/endpoints/check-trial.ts';
import { headerProblem } from '../../../telemetry/endpoints/endpoint-headers.ts';
import type { EndpointSettings } from '../../../telemetry/endpoints/endpoint-settings.ts';
import { showUrl } from '../../../telemetry/endpoints/endpoint-url.ts';
import { endpointsFromEnvironment } from '../../../telemetry/endpoints/environment.ts';
import type { Environment } from '../../../telemetry/endpoints/environment.ts';
import { openEndpoint } from '../../../telemetry/endpoints/open-endpoint.ts';
import type { Delivery, Signal } from '../../../telemetry/payload.ts';
import { readEndpointsFile } from '../../relay/endpoints-file.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import type { Work } from '../session.ts';
import { textTable } from '../text-table.ts';

/** Which endpoints to ask; without any of these those of the OTEL_* variables. */
export interface OtelCheckOptions {
  readonly endpoint?: string;
  readonly protocol?: string;
  readonly header?: readonly string[];
  readonly file?: string;
  readonly json?: boolean;
}

/** What came back for one payload. */
interface Finding {
  readonly endpoint: string;
  readonly signal: Signal;
  /** Without what may be secret. */
  readonly url: string;
  readonly protocol: string;
  readonly items: number;
  readonly delivery: Delivery;
  readonly tookMs: number;
}

/** Variables that say how to reach an endpoint, and are no secret meant for another one. */
const KEPT = [
  'TIMEOUT',
  'COMPRESSION',
  'INSECURE',
  'CERTIFICATE',
  'CLIENT_CERTIFICATE',
  'CLIENT_KEY',
];
const HEADER = ['endpoint', 'signal', 'to', 'items', 'result', 'ms', 'message'];

/**
 * Sends what one trial gives to endpoints, once, and says what came back. The exit code is 0 if all
 * was accepted, 1 if an endpoint refused something for good, else 4: something could not be
 * delivered now.
 */
export function otelCheck(options: OtelCheckOptions): Work {
  return async ({ output, signal }) => {
    const endpoints = await chooseEndpoints(options, process.env);
    const trial = makeCheckTrial(BigInt(Date.now()) * 1_000_000n);
    const perEndpoint = await Promise.all(
      endpoints.map((settings) => checkEndpoint(settings, trial, signal)),
    );
    const findings = perEndpoint.flat();
    if (signal.aborted) return EXIT_CODES.interrupted;
    const { traceId } = trial;
    if (options.json === true) {
      const text = JSON.stringify({ traceId, service: CHECK_SERVICE, findings }, null, 2);
      output.result(text);
    } else {
      output.result(textTable(HEADER, findings.map(rowOf)));
      output.result(`Look for the trace ${traceId}, or for service.name ${CHECK_SERVICE}.`);
    }
    return exitCodeFor(findings);
  };
}

async function chooseEndpoints(
  options: OtelCheckOptions,
  environment: Environment,
): Promise<EndpointSettings[]> {
  const { endpoint, protocol, header = [], file } = options;
  if (file !== undefined && endpoint !== undefined) {
    throw usage('--file and --endpoint can not be used together', 'Leave one of them out.');
  }
  if (endpoint === undefined && (protocol !== undefined || header.length > 0)) {
    throw usage('--protocol and --header need --endpoint', 'Add --endpoint URL.');
  }
  if (file !== undefined) return readEndpointsFile(file, environment);
  if (endpoint !== undefined) return namedEndpoint({ endpoint, protocol, header }, environment);
  const found = endpointsFromEnvironment(environment);
  if (found.length > 0) return found;
  const isOff = environment['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true';
  throw usage(
    isOff ? 'OTEL_SDK_DISABLED is true' : 'no endpoint is named',
    'Use --endpoint URL or --file FILE, or set OTEL_EXPORTER_OTLP_ENDPOINT.',
  );
}

/** Headers of the variables are left out: they may be secrets of another endpoint. */
function namedEndpoint(
  {
    endpoint,
    protocol,
    header,
  }: { endpoint: string; protocol: string | undefined } & {
    header: readonly string[];
  },
  environment: Environment,
): EndpointSettings[] {
  const headers = Object.fromEntries(header.map(parseHeader));
  const kept = KEPT.map((suffix) => `OTEL_EXPORTER_OTLP_${suffix}`);
  const variables = {
    ...Object.fromEntries(kept.map((name) => [name, environment[name]])),
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
  };
  return endpointsFromEnvironment(variables).map(({ routes }) => ({
    name: 'endpoint',
    routes: Object.fromEntries(
      Object.entries(routes).map(([signal, route]) => [signal, { ...route, headers }]),
    ),
  }));
}

function parseHeader(text: string): [name: string, value: string] {
  const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const problem = headerProblem(name, value);
  if (problem !== undefined) throw usage(`--header ${problem.message}`, problem.hint);
  return [name.toLowerCase(), value];
}

function usage(message: string, hint: string): LockstepError {
  return new LockstepError('USAGE', message, { hint });
}

async function checkEndpoint(
  settings: EndpointSettings,
  { payloads }: CheckTrial,
  signal: AbortSignal,
): Promise<Finding[]> {
  const destination = openEndpoint(settings);
  try {
    const findings: Finding[] = [];
    for (const payload of payloads) {
      const route = settings.routes[payload.signal];
      if (route === undefined) continue;
      const startMs = performance.now();
      const delivery = await destination.send(payload, signal);
      findings.push({
        endpoint: settings.name,
        signal: payload.signal,
        url: showUrl(route.url),
        protocol: route.protocol,
        items: payload.items,
        delivery,
        tookMs: Math.round(performance.now() - startMs),
      });
    }
    return findings;
  } finally {
    await destination.close();
  }
}

function rowOf({ endpoint, signal, url, protocol, items, delivery, tookMs }: Finding): string[] {
  const where = `${url} (${protocol})`;
  const message = delivery.message ?? '';
  return [endpoint, signal, where, String(items), resultOf(delivery), String(tookMs), message];
}

function resultOf(delivery: Delivery): string {
  if (delivery.outcome === 'refused') return 'refused';
  if (delivery.outcome === 'accepted') {
    return delivery.rejected > 0 ? `${delivery.rejected} rejected` : 'accepted';
  }
  const { afterMs } = delivery;
  return afterMs === undefined ? 'not now' : `not before ${Math.ceil(afterMs / 1000)} s`;
}

function exitCodeFor(findings: readonly Finding[]): number {
  const isRefused = findings.some(
    ({ delivery }) =>
      delivery.outcome === 'refused' || (delivery.outcome === 'accepted' && delivery.rejected > 0),
  );
  if (isRefused) return EXIT_CODES.failed;
  const isLate = findings.some(({ delivery }) => delivery.outcome === 'retry');
  return isLate ? EXIT_CODES.unreachable : EXIT_CODES.ok;
}
