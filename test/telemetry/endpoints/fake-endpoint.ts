import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { endpointsFromEnvironment } from '../../../telemetry/endpoints/environment.ts';
import { openEndpoint } from '../../../telemetry/endpoints/open-endpoint.ts';
import { makeCheckTrial } from '../../../telemetry/endpoints/check-trial.ts';
import type { Destination, Payload, Signal } from '../../../telemetry/payload.ts';

/** A request that an endpoint got. */
export interface Received {
  readonly path: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** An HTTP server of one test that answers as the test says. */
export async function fakeEndpoint(
  t: ExecutionContext,
  answer: (response: ServerResponse) => void,
  make: (listener: RequestListener) => Server = createServer,
) {
  const received: Received[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    received.push({ path: request.url, headers: request.headers, body });
    answer(response);
  };
  const server = make((request, response) => {
    take(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `127.0.0.1:${(server.address() as AddressInfo).port}`, received, server };
}

/** The endpoint that variables describe; names without OTEL_EXPORTER_OTLP_. */
export function openBy(t: ExecutionContext, variables: Record<string, string>): Destination {
  const environment = Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [`OTEL_EXPORTER_OTLP_${name}`, value]),
  );
  const [settings] = endpointsFromEnvironment(environment);
  const destination = openEndpoint(settings!);
  t.teardown(() => destination.close());
  return destination;
}

/** A payload of a signal. */
export function payloadOf(signal: Signal): Payload {
  const { payloads } = makeCheckTrial(1_795_459_200_000_000_000n);
  return payloads.find((payload) => payload.signal === signal)!;
}

/** A signal that never aborts. */
export const NEVER = new AbortController().signal;
