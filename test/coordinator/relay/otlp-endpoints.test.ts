import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { ensureStream, publishDurable, TELEMETRY } from '../../../bus/streams.ts';
import { Relay } from '../../../coordinator/relay/relay.ts';
import { endpointsFromEnvironment } from '../../../telemetry/endpoints/environment.ts';
import { openEndpoint } from '../../../telemetry/endpoints/open-endpoint.ts';
import { encodeSamples } from '../../../telemetry/otlp/encode-samples.ts';
import { decodeRequest } from '../../../telemetry/otlp/export-request.ts';
import { messageOfPayload } from '../../../telemetry/spool/payload-message.ts';
import { startTestBus } from '../../support/nats-server.ts';
import { until } from '../../support/until.ts';

type Answer = (tries: number, response: ServerResponse) => void;

/** A real HTTP server that answers as the test says, and keeps what it said yes to. */
async function endpoint(t: ExecutionContext, answer: Answer) {
  const accepted: string[] = [];
  let tries = 0;
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = gunzipSync(await buffer(request));
    tries += 1;
    response.statusCode = 200;
    answer(tries, response);
    if (response.statusCode === 200) accepted.push(JSON.stringify(decodeRequest('metrics', body)));
    if (!response.writableEnded) response.end();
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, accepted, tries: () => tries };
}

const POINTS = 3;

/** Payloads of three points each, and the requests in them as JSON. */
function payloads(count: number) {
  return Array.from({ length: count }, (_, index) => {
    const utcNs = BigInt64Array.from([1n, 2n, 3n], (n) => 1_795_459_200_000_000_000n + n);
    const values = Float64Array.from([index, index + 0.5, index + 0.75]);
    const series = [{ metric: 'hw.temperature' as const, utcNs, values }];
    const [request] = encodeSamples([{ attributes: {}, series }], { pointsMax: 100 });
    const bytes = gzipSync(request!.bytes);
    const json = JSON.stringify(decodeRequest('metrics', request!.bytes));
    return { payload: { signal: 'metrics' as const, bytes, items: POINTS }, json };
  });
}

async function relayTo(t: ExecutionContext, url: string, count: number) {
  const server = await startTestBus(t);
  const bus = await server.connect({ role: 'coordinator', user: 'coordinator' });
  await ensureStream(bus, TELEMETRY);
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  };
  const endpoints = endpointsFromEnvironment(environment).map((each) => openEndpoint(each));
  const relay = await Relay.start({ bus, endpoints, logger: pino({ level: 'silent' }) });
  t.teardown(async () => relay.stop());
  const sent = payloads(count);
  for (const [index, { payload }] of sent.entries()) {
    const { subject, headers, data } = messageOfPayload(payload, 'd1');
    await publishDurable(bus, subject, data, { id: String(index), headers });
  }
  return { relay, sent: sent.map(({ json }) => json) };
}

test('what an endpoint answers 503 and 429 for a while arrives once each, in order', async (t) => {
  const askedAtMs: number[] = [];
  const { url, accepted } = await endpoint(t, (tries, response) => {
    askedAtMs.push(performance.now());
    if (tries === 2) response.writeHead(503).end('starting');
    if (tries === 3) response.writeHead(429, { 'retry-after': '1' }).end('too many');
  });
  const { relay, sent } = await relayTo(t, url, 5);
  t.true(await relay.drain(60_000));
  t.deepEqual(accepted, sent);
  t.like(relay.health[0], { endpoint: 'env', accepted: 15, rejected: 0, refused: 0, missed: 0 });
  t.is(relay.health[0]?.retries, 2);
  // Timers count in whole milliseconds.
  t.true((askedAtMs[3] ?? 0) - (askedAtMs[2] ?? 0) >= 999);
});

test('what an endpoint answers 400, or refuses in part, is counted and told', async (t) => {
  const { url, accepted } = await endpoint(t, (tries, response) => {
    if (tries === 1) response.writeHead(400).end('no such metric');
    if (tries !== 2) return;
    // partial_success { rejected_data_points: 2, error_message: "old" }
    response.setHeader('content-type', 'application/x-protobuf');
    response.end(Buffer.from([0x0a, 0x07, 0x08, 0x02, 0x12, 0x03, 0x6f, 0x6c, 0x64]));
  });
  const { relay, sent } = await relayTo(t, url, 3);
  t.true(await relay.drain(60_000));
  t.deepEqual(accepted, sent.slice(1));
  t.like(relay.health[0], { accepted: 4, rejected: 2, refused: 3, retries: 0 });
  t.regex(relay.health[0]?.lastError?.message ?? '', /old/);
});

test('what an endpoint that comes late did not get waits for it', async (t) => {
  let isThere = false;
  const { url, accepted, tries } = await endpoint(t, (_tries, response) => {
    if (!isThere) response.destroy();
  });
  const { relay, sent } = await relayTo(t, url, 3);
  await until(() => tries() >= 2, 'tries in vain');
  t.is(relay.health[0]?.accepted, 0);
  isThere = true;
  accepted.length = 0;
  t.true(await relay.drain(60_000));
  t.deepEqual(accepted, sent);
});
