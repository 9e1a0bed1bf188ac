import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import { gunzipSync } from 'node:zlib';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { encodeMessage, encodeNumber, encodeText } from '../../../telemetry/otlp/wire-format.ts';
import { NEVER, openBy, payloadOf } from './fake-endpoint.ts';

type Answer = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void;

const metrics = payloadOf('metrics');
const asItIs = (bytes: Buffer): Buffer => bytes;

async function grpcEndpoint(t: ExecutionContext, answer: Answer): Promise<string> {
  const server = new Server();
  const method = {
    path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
    ...{ requestStream: false, responseStream: false },
    ...{ requestSerialize: asItIs, requestDeserialize: asItIs },
    ...{ responseSerialize: asItIs, responseDeserialize: asItIs },
  };
  server.addService({ Export: method }, { Export: answer });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  t.teardown(() => {
    server.forceShutdown();
  });
  return `http://127.0.0.1:${port}`;
}

test('a payload arrives over gRPC with headers, and what is rejected in part is told', async (t) => {
  const received: { body: Buffer; key: unknown }[] = [];
  const url = await grpcEndpoint(t, ({ request, metadata }, callback) => {
    const [key] = metadata.get('x-key');
    received.push({ body: request, key });
    callback(null, Buffer.from(encodeMessage(1, encodeNumber(1, 2), encodeText(2, 'too old'))));
  });
  const variables = { ENDPOINT: url, PROTOCOL: 'grpc', COMPRESSION: 'gzip', HEADERS: 'X-Key=v' };
  const delivery = await openBy(t, variables).send(metrics, NEVER);
  t.deepEqual(delivery, { outcome: 'accepted', rejected: 2, message: 'too old' });
  t.deepEqual(received[0]?.body, gunzipSync(metrics.bytes));
  t.is(received[0]?.key, 'v');
});

test('codes of gRPC say whether to try again, and RetryInfo when', async (t) => {
  // Duration of 3 s and 500 ms in a RetryInfo, in an Any, in a Status.
  const delay = encodeMessage(1, encodeNumber(1, 3), encodeNumber(2, 500_000_000));
  const any = encodeMessage(
    3,
    encodeText(1, 'type.googleapis.com/google.rpc.RetryInfo'),
    encodeMessage(2, delay),
  );
  const info = new Metadata();
  info.set('grpc-status-details-bin', Buffer.from(any));
  const answers = [
    { code: status.UNAVAILABLE, details: 'later' },
    { code: status.RESOURCE_EXHAUSTED, details: 'full' },
    { code: status.RESOURCE_EXHAUSTED, details: 'full', metadata: info },
    { code: status.INVALID_ARGUMENT, details: 'bad' },
  ];
  const url = await grpcEndpoint(t, (_, callback) => {
    callback(answers.shift()!);
  });
  const endpoint = openBy(t, { ENDPOINT: url, PROTOCOL: 'grpc' });
  const send = () => endpoint.send(metrics, NEVER);
  t.deepEqual(await send(), { outcome: 'retry', message: 'answered UNAVAILABLE: later' });
  t.deepEqual(await send(), { outcome: 'refused', message: 'answered RESOURCE_EXHAUSTED: full' });
  t.like(await send(), { outcome: 'retry', afterMs: 3500 });
  t.deepEqual(await send(), { outcome: 'refused', message: 'answered INVALID_ARGUMENT: bad' });
});

test('over gRPC who is slow or not there is to be tried again', async (t) => {
  const url = await grpcEndpoint(t, () => undefined);
  const late = await openBy(t, { ENDPOINT: url, PROTOCOL: 'grpc', TIMEOUT: '200' }).send(
    metrics,
    NEVER,
  );
  t.deepEqual(late, { outcome: 'retry', message: 'no answer within 200 ms' });
  const abort = new AbortController();
  const cut = openBy(t, { ENDPOINT: url, PROTOCOL: 'grpc' }).send(metrics, abort.signal);
  abort.abort();
  t.is((await cut).outcome, 'retry');
  const nobody = openBy(t, { ENDPOINT: 'http://127.0.0.1:9', PROTOCOL: 'grpc' });
  t.is((await nobody.send(metrics, NEVER)).outcome, 'retry');
});

test('over gRPC a message is compressed with gzip where that is wanted', async (t) => {
  const parts: Buffer[] = [];
  const server = createServer();
  server.on('stream', (stream) => {
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.once('end', () => {
      stream.respond(
        { 'content-type': 'application/grpc', 'grpc-status': '3' },
        { endStream: true },
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const endpoint = openBy(t, { ENDPOINT: url, PROTOCOL: 'grpc', COMPRESSION: 'gzip' });
  t.is((await endpoint.send(metrics, NEVER)).outcome, 'refused');
  const message = Buffer.concat(parts);
  // A flag and four bytes of length come first.
  t.is(message[0], 1);
  t.deepEqual(gunzipSync(message.subarray(5)), gunzipSync(metrics.bytes));
});
