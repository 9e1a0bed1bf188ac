import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import type { Server } from 'node:http';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { encodeMessage, encodeNumber, encodeText } from '../../../telemetry/otlp/wire-format.ts';
import { decodeRequest } from '../../../telemetry/otlp/export-request.ts';
import { fakeEndpoint, NEVER, openBy, payloadOf } from './fake-endpoint.ts';

const metrics = payloadOf('metrics');

test('a payload arrives as it is, with gzip and the headers that were set', async (t) => {
  const { url, received } = await fakeEndpoint(t, (response) => response.end());
  const endpoint = openBy(t, {
    ...{ ENDPOINT: `http://${url}/base/`, COMPRESSION: 'gzip', HEADERS: 'x-key=a%2Cb' },
  });
  t.deepEqual(await endpoint.send(metrics, NEVER), { outcome: 'accepted', rejected: 0 });
  t.is(received[0]?.path, '/base/v1/metrics');
  t.deepEqual(received[0]?.body, metrics.bytes);
  t.like(received[0]?.headers, {
    ...{ 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip', 'x-key': 'a,b' },
  });
});

test('without compression the request is sent plain, and as JSON where that is wanted', async (t) => {
  const { url, received } = await fakeEndpoint(t, (response) => response.end());
  const plain = gunzipSync(metrics.bytes);
  await openBy(t, { ENDPOINT: `http://${url}` }).send(metrics, NEVER);
  await openBy(t, { ENDPOINT: `http://${url}`, PROTOCOL: 'http/json' }).send(metrics, NEVER);
  t.deepEqual(received[0]?.body, plain);
  t.is(received[0]?.headers['content-encoding'], undefined);
  t.is(received[1]?.headers['content-type'], 'application/json');
  t.deepEqual(JSON.parse(String(received[1]?.body)), decodeRequest('metrics', plain));
});

test('429 and 503 are to be tried again when the endpoint says, 400 and redirects never', async (t) => {
  const date = new Date(Date.now() + 60_000).toUTCString();
  const answers: [number, Record<string, string>][] = [
    [503, {}],
    [429, { 'retry-after': '7' }],
    [429, { 'retry-after': date }],
    [503, { 'retry-after': '99999999' }],
    [503, { 'retry-after': '-5' }],
    [400, {}],
    [307, { location: '/elsewhere' }],
  ];
  let asked = 0;
  const { url, received } = await fakeEndpoint(t, (response) => {
    const [status, headers] = answers[asked]!;
    asked += 1;
    response.writeHead(status, headers).end('no\n such \u0007 secret-token');
  });
  const variables = { ENDPOINT: `http://${url}`, HEADERS: 'authorization=Bearer%20secret-token' };
  const endpoint = openBy(t, variables);
  const deliveries = [];
  while (asked < answers.length) deliveries.push(await endpoint.send(metrics, NEVER));
  const [plain, seconds, until, long, wrong, refused, redirect] = deliveries;
  t.deepEqual(plain, { outcome: 'retry', message: 'answered 503: no such ***' });
  t.like(seconds, { outcome: 'retry', afterMs: 7000 });
  const afterMs = until?.outcome === 'retry' ? (until.afterMs ?? 0) : 0;
  t.true(afterMs > 0 && afterMs <= 60_000, String(afterMs));
  t.like(long, { outcome: 'retry', afterMs: 3_600_000 });
  t.is(wrong?.outcome === 'retry' ? wrong.afterMs : 0, undefined);
  t.deepEqual(refused, { outcome: 'refused', message: 'answered 400: no such ***' });
  t.is(redirect?.outcome, 'refused');
  t.is(received.length, answers.length);
});

test('of a secret that is cut off in the middle nothing is told', async (t) => {
  const { url } = await fakeEndpoint(t, (response) => {
    response.writeHead(400).end(`${'x'.repeat(290)} secret-token`);
  });
  const variables = { ENDPOINT: `http://${url}`, HEADERS: 'authorization=Bearer%20secret-token' };
  const { message = '' } = (await openBy(t, variables).send(metrics, NEVER)) as {
    message?: string;
  };
  t.regex(message, /x \*\*\*…$/);
  t.notRegex(message, /secret/);
});

test('what is rejected in part is told, from protobuf and from JSON', async (t) => {
  const partial = encodeMessage(1, encodeNumber(1, 2), encodeText(2, 'too old'));
  const json = '{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"too old"}}';
  const answers = [partial, json, Buffer.from('\u00ff no'), Buffer.alloc(200_000)];
  const { url } = await fakeEndpoint(t, (response) => {
    const answer = answers.shift();
    const type = typeof answer === 'string' ? 'application/json' : 'application/x-protobuf';
    response.writeHead(200, { 'content-type': type });
    // What is too long never ends.
    if (answers.length > 0) response.end(answer);
    else response.write(answer);
  });
  const endpoint = openBy(t, { ENDPOINT: `http://${url}` });
  const rejected = { outcome: 'accepted', rejected: 2, message: 'too old' };
  t.deepEqual(await endpoint.send(metrics, NEVER), rejected);
  t.deepEqual(await endpoint.send(metrics, NEVER), rejected);
  const damaged = await endpoint.send(metrics, NEVER);
  t.like(damaged, { outcome: 'accepted', rejected: 0 });
  t.regex(damaged.message ?? '', /damaged/);
  t.regex((await endpoint.send(metrics, NEVER)).message ?? '', /longer than 65536 bytes/);
});

test('who is slow, hangs up or is not there is to be tried again', async (t) => {
  const { url: slow } = await fakeEndpoint(t, () => undefined);
  const late = await openBy(t, { ENDPOINT: `http://${slow}`, TIMEOUT: '50' }).send(metrics, NEVER);
  t.deepEqual(late, { outcome: 'retry', message: 'no answer within 50 ms' });
  const abort = new AbortController();
  const { url: cutOff } = await fakeEndpoint(t, () => {
    abort.abort();
  });
  const cut = await openBy(t, { ENDPOINT: `http://${cutOff}` }).send(metrics, abort.signal);
  t.deepEqual(cut, { outcome: 'retry', message: 'cut off before there was an answer' });
  const { url: rude } = await fakeEndpoint(t, (response) => response.destroy());
  t.is((await openBy(t, { ENDPOINT: `http://${rude}` }).send(metrics, NEVER)).outcome, 'retry');
  const nobody = await openBy(t, { ENDPOINT: 'http://127.0.0.1:9' }).send(metrics, NEVER);
  t.is(nobody.outcome, 'retry');
  t.regex(nobody.message ?? '', /ECONNREFUSED/);
});

test('a connection that breaks when it is used again is no failure of the endpoint', async (t) => {
  let asked = 0;
  const { url, received } = await fakeEndpoint(t, (response) => {
    asked += 1;
    if (asked === 2) response.destroy();
    else response.end();
  });
  const endpoint = openBy(t, { ENDPOINT: `http://${url}` });
  t.is((await endpoint.send(metrics, NEVER)).outcome, 'accepted');
  t.is((await endpoint.send(metrics, NEVER)).outcome, 'accepted');
  t.is(received.length, 3);
});

test('a signal without a route is accepted and not sent, a damaged payload is refused', async (t) => {
  const { url, received } = await fakeEndpoint(t, (response) => response.end());
  const endpoint = openBy(t, { METRICS_ENDPOINT: `http://${url}/as/it/is` });
  t.is((await endpoint.send(payloadOf('logs'), NEVER)).outcome, 'accepted');
  t.is(received.length, 0);
  const damaged = await endpoint.send({ ...metrics, bytes: Buffer.from('no gzip') }, NEVER);
  t.is(damaged.outcome, 'refused');
  t.is((await endpoint.send(metrics, NEVER)).outcome, 'accepted');
  t.is(received[0]?.path, '/as/it/is');
  await endpoint.close();
  t.is((await endpoint.send(metrics, NEVER)).outcome, 'retry');
});

test('TLS trusts the authority that is named, shows the certificate, and nothing else', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'endpoint-tls-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  await promisify(execFile)('openssl', [
    ...[...words, '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=self'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1'],
  ]);
  const pem = { key: readFileSync(key), cert: readFileSync(cert) };
  const options = { ...pem, ca: pem.cert, requestCert: true, rejectUnauthorized: true };
  const make = (listener: Parameters<typeof createTlsServer>[1]): Server =>
    createTlsServer(options, listener);
  const { url } = await fakeEndpoint(t, (response) => response.end(), make);
  const base = { ENDPOINT: `https://${url}` };
  const mutual = { ...base, CERTIFICATE: cert, CLIENT_CERTIFICATE: cert, CLIENT_KEY: key };
  t.is((await openBy(t, mutual).send(metrics, NEVER)).outcome, 'accepted');
  t.is((await openBy(t, base).send(metrics, NEVER)).outcome, 'retry');
  t.is((await openBy(t, { ...base, CERTIFICATE: cert }).send(metrics, NEVER)).outcome, 'retry');
  t.throws(() => openBy(t, { ...base, CERTIFICATE: join(folder, 'none') }), { message: /none/ });
  t.throws(() => openBy(t, { ...mutual, CLIENT_CERTIFICATE: key }), { message: /can't use/ });
});
