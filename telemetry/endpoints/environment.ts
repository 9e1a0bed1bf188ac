import { LockstepError } from '../../schemas/errors.ts';
import { SIGNALS } from '../payload.ts';
import type { Signal } from '../payload.ts';
import { parseHeaderList } from './endpoint-headers.ts';
import { COMPRESSIONS, PROTOCOLS, TIMEOUT_MS_DEFAULT } from './endpoint-settings.ts';
import { TIMEOUT_MS_MAX } from './endpoint-settings.ts';
import type { EndpointRoute, EndpointSettings, SettingProblem } from './endpoint-settings.ts';
import { resolveUrl } from './endpoint-url.ts';

/** Variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The name of the endpoint that the variables describe. */
export const ENVIRONMENT_ENDPOINT = 'env';

const PREFIX = 'OTEL_EXPORTER_OTLP_';

/**
 * The endpoint that the standard variables of OpenTelemetry describe, named `env`. None if no
 * address is given: then nobody is asked, unlike what an SDK would do. Of OTEL_EXPORTER_OTLP_*
 * these count, also for one signal, as in OTEL_EXPORTER_OTLP_TRACES_HEADERS: ENDPOINT, HEADERS,
 * TIMEOUT (ms), PROTOCOL, COMPRESSION, CERTIFICATE, CLIENT_CERTIFICATE, CLIENT_KEY, INSECURE;
 * besides OTEL_SDK_DISABLED, and OTEL_TRACES_EXPORTER and the like where they leave out otlp.
 *
 * @throws LockstepError ENDPOINTS_INVALID with each variable that has a mistake, and what to write.
 * Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function endpointsFromEnvironment(environment: Environment): EndpointSettings[] {
  if (environment['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return [];
  const problems = new Map<string, string>();
  const routes: EndpointSettings['routes'] = {};
  for (const signal of SIGNALS) {
    const route = new SignalVariables(environment, signal, problems).readRoute();
    if (route !== undefined) routes[signal] = route;
  }
  if (problems.size > 0) {
    throw new LockstepError('ENDPOINTS_INVALID', [...problems.keys()].join('; '), {
      hint: [...new Set(problems.values())].join(' '),
    });
  }
  return Object.keys(routes).length === 0 ? [] : [{ name: ENVIRONMENT_ENDPOINT, routes }];
}

interface Variable {
  readonly name: string;
  readonly text: string;
}

class SignalVariables {
  readonly #environment: Environment;
  readonly #signal: Signal;
  readonly #problems: Map<string, string>;

  constructor(environment: Environment, signal: Signal, problems: Map<string, string>) {
    this.#environment = environment;
    this.#signal = signal;
    this.#problems = problems;
  }

  /** Undefined if the signal goes nowhere, or if a variable has a mistake, which is noted. */
  readRoute(): EndpointRoute | undefined {
    const address = this.#find('ENDPOINT');
    if (address === undefined || !this.#isExported()) return undefined;
    const protocol = this.#choose('PROTOCOL', PROTOCOLS, 'http/protobuf');
    const isInsecure = this.#choose('INSECURE', ['true', 'false'], 'false') === 'true';
    const isBase = address.name === `${PREFIX}ENDPOINT`;
    const resolved = resolveUrl(address.text, {
      ...{ signal: this.#signal, protocol, isBase, isInsecure },
    });
    const settings = {
      protocol,
      headers: this.#readHeaders(),
      compression: this.#choose('COMPRESSION', COMPRESSIONS, 'none'),
      timeoutMs: this.#readTimeout(),
      tls: this.#readTls(),
    };
    if ('url' in resolved) return { url: resolved.url, ...settings };
    this.#note(address.name, resolved.problem);
    return undefined;
  }

  #isExported(): boolean {
    const exporters = this.#environment[`OTEL_${this.#signal.toUpperCase()}_EXPORTER`]?.trim();
    if (exporters === undefined || exporters === '') return true;
    return exporters.split(',').some((name) => name.trim().toLowerCase() === 'otlp');
  }

  /** The variable of the signal, else that of all signals. An empty one counts as not set. */
  #find(suffix: string): Variable | undefined {
    for (const name of [`${PREFIX}${this.#signal.toUpperCase()}_${suffix}`, PREFIX + suffix]) {
      const text = this.#environment[name]?.trim() ?? '';
      if (text !== '') return { name, text };
    }
    return undefined;
  }

  #choose<const Choice extends string>(
    suffix: string,
    choices: readonly Choice[],
    otherwise: NoInfer<Choice>,
  ): Choice {
    const variable = this.#find(suffix);
    if (variable === undefined) return otherwise;
    const chosen = choices.find((choice) => choice === variable.text.toLowerCase());
    if (chosen !== undefined) return chosen;
    this.#note(variable.name, {
      message: `is ${JSON.stringify(variable.text.slice(0, 60))}`,
      hint: `Set ${variable.name} to one of ${choices.join(', ')}.`,
    });
    return otherwise;
  }

  #readHeaders(): Record<string, string> {
    const variable = this.#find('HEADERS');
    const parsed = variable === undefined ? { headers: {} } : parseHeaderList(variable.text);
    if ('headers' in parsed) return parsed.headers;
    this.#note(variable?.name ?? '', parsed.problem);
    return {};
  }

  #readTimeout(): number {
    const variable = this.#find('TIMEOUT');
    if (variable === undefined) return TIMEOUT_MS_DEFAULT;
    const timeoutMs = Number(variable.text);
    if (/^\d+$/.test(variable.text) && timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS_MAX) {
      return timeoutMs;
    }
    this.#note(variable.name, {
      message: `is ${JSON.stringify(variable.text.slice(0, 60))}`,
      hint: `Set ${variable.name} to milliseconds, from 1 to ${TIMEOUT_MS_MAX}.`,
    });
    return TIMEOUT_MS_DEFAULT;
  }

  #readTls(): EndpointRoute['tls'] {
    const ca = this.#find('CERTIFICATE');
    const certificate = this.#find('CLIENT_CERTIFICATE');
    const key = this.#find('CLIENT_KEY');
    const alone = key === undefined ? certificate : certificate === undefined ? key : undefined;
    if (alone !== undefined) {
      const message = `is set without ${key === undefined ? 'CLIENT_KEY' : 'CLIENT_CERTIFICATE'}`;
      const hint = `Set ${PREFIX}CLIENT_CERTIFICATE and ${PREFIX}CLIENT_KEY, or neither.`;
      this.#note(alone.name, { message, hint });
    }
    return {
      ...(ca === undefined ? {} : { caFile: ca.text }),
      ...(certificate === undefined ? {} : { certificateFile: certificate.text }),
      ...(key === undefined ? {} : { keyFile: key.text }),
    };
  }

  #note(variable: string, { message, hint }: SettingProblem): void {
    this.#problems.set(`${variable} ${message}`, hint);
  }
}
