import { errorMessageOf } from '../../schemas/errors.ts';
import { SIGNALS } from '../payload.ts';
import type { Delivery, Destination, Payload, Signal } from '../payload.ts';
import { CUT_OFF, excerpt } from './endpoint-answer.ts';
import type { EndpointRoute, EndpointSettings } from './endpoint-settings.ts';
import { GrpcRoute } from './grpc-endpoint.ts';
import { HttpRoute } from './http-endpoint.ts';
import type { Route } from './route.ts';
import { readTlsMaterial } from './tls-material.ts';

const SECRET_CHARACTERS_MIN = 6;

/**
 * Makes ready to send to an endpoint; nothing is sent before the first payload. A payload of a
 * signal that the endpoint does not take counts as accepted and is not sent. Deliveries never show
 * the values of headers.
 *
 * @throws LockstepError ENDPOINTS_INVALID if a file for TLS can't be read or used.
 */
export function openEndpoint({ name, routes }: EndpointSettings): Destination {
  const open = new Map<Signal, Route>();
  const secrets = new Set<string>();
  for (const signal of SIGNALS) {
    const settings = routes[signal];
    if (settings === undefined) continue;
    open.set(signal, openRoute(name, settings));
    for (const secret of secretsOf(settings)) secrets.add(secret);
  }
  let isClosed = false;
  return {
    name,
    send: async (payload, signal) => {
      const route = open.get(payload.signal);
      if (route === undefined) return { outcome: 'accepted', rejected: 0 };
      if (isClosed) return { outcome: 'retry', message: 'the endpoint is closed' };
      return withoutSecrets(await deliver(route, payload, signal), secrets);
    },
    close: () => {
      isClosed = true;
      for (const route of open.values()) route.close();
      return Promise.resolve();
    },
  };
}

function openRoute(endpoint: string, settings: EndpointRoute): Route {
  const tls = readTlsMaterial(endpoint, settings.tls);
  const { protocol } = settings;
  return protocol === 'grpc'
    ? new GrpcRoute(settings, tls)
    : new HttpRoute({ ...settings, protocol }, tls);
}

async function deliver(route: Route, payload: Payload, signal: AbortSignal): Promise<Delivery> {
  try {
    return await route.send(payload, signal);
  } catch (error) {
    return { outcome: 'retry', message: excerpt(reasonOf(error)) };
  }
}

/** A host with several addresses fails with one error for each. */
function reasonOf(error: unknown): string {
  if (!(error instanceof AggregateError)) return errorMessageOf(error);
  return [...new Set(error.errors.map(errorMessageOf))].join(', ');
}

/** Values of headers, and the words of which they are made, that an endpoint might repeat. */
function secretsOf({ headers }: EndpointRoute): string[] {
  return Object.values(headers)
    .flatMap((value) => [value, ...value.split(/\s+/)])
    .filter((text) => text.length >= SECRET_CHARACTERS_MIN);
}

function withoutSecrets(delivery: Delivery, secrets: ReadonlySet<string>): Delivery {
  if (delivery.message === undefined) return delivery;
  const message = [...secrets].reduce(
    (text, secret) => withoutStart(text.replaceAll(secret, '***'), secret),
    delivery.message,
  );
  return { ...delivery, message };
}

/** What was cut off within a secret ends with a part of it. */
function withoutStart(text: string, secret: string): string {
  if (!text.endsWith(CUT_OFF)) return text;
  const kept = text.slice(0, -CUT_OFF.length);
  for (let length = secret.length - 1; length > 0; length -= 1) {
    if (!kept.endsWith(secret.slice(0, length))) continue;
    return `${kept.slice(0, -length)}***${CUT_OFF}`;
  }
  return text;
}
