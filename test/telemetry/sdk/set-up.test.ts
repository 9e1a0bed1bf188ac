import test from 'ava';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { metrics, trace } from '@opentelemetry/api';
import { join } from 'node:path';
import type { Payload, PayloadSink } from '../../../telemetry/payload.ts';
import { observeHealth } from '../../../telemetry/sdk/health-instruments.ts';
import { startTelemetry } from '../../../telemetry/sdk/set-up.ts';
import { CHECKOUT } from '../../support/nats-server.ts';
import { until } from '../../support/until.ts';
import { CollectingSink } from './collecting-sink.ts';

const RESOURCE = {
  'service.version': '1.2.3',
  'service.instance.id': 'd1',
  'device.id': 'd1',
  'host.arch': 'amd64',
};

function start(
  sink: PayloadSink,
  more: { mayExport?: () => boolean; healthEveryMs?: number } = {},
) {
  return startTelemetry({
    service: 'lockstep-agent',
    resource: RESOURCE,
    sink,
    environment: {},
    ...more,
  });
}

/** Takes nothing, ever. */
const hanging: PayloadSink = { add: () => new Promise<void>(() => undefined) };

test('startTelemetry: the resource has the attributes given and no other', async (t) => {
  const sink = new CollectingSink();
  const telemetry = await start(sink);
  telemetry.tracer.startSpan('one').end();
  await telemetry.shutdown();
  t.deepEqual(sink.spans()[0]!.resource, { 'service.name': 'lockstep-agent', ...RESOURCE });
});

test('startTelemetry: a burst of 20 000 spans arrives whole, in payloads of 1024', async (t) => {
  const sink = new CollectingSink();
  const telemetry = await start(sink);
  for (let index = 0; index < 20_000; index += 1) telemetry.tracer.startSpan('burst').end();
  await telemetry.shutdown();
  t.is(sink.items('traces'), 20_000);
  t.is(new Set(sink.spans().map(({ spanId }) => spanId)).size, 20_000);
  t.true(sink.payloads.every(({ items }) => items <= 1024));
  t.deepEqual(telemetry.lost(), { traces: 0, metrics: 0, logs: 0 });
});

test('startTelemetry: what finds no room is counted, and told as a metric', async (t) => {
  const sink = new CollectingSink();
  const telemetry = await start(sink);
  observeHealth(telemetry.meter, {
    'lockstep.telemetry.lost': () => [
      {
        value: telemetry.lost().traces,
        attributes: { 'lockstep.telemetry.signal': 'traces' },
      },
    ],
  });
  for (let index = 0; index < 33_000; index += 1) telemetry.tracer.startSpan('burst').end();
  await telemetry.shutdown();
  t.is(sink.items('traces'), 32_768);
  t.is(telemetry.lost().traces, 232);
  const [lost] = sink.points();
  t.deepEqual([lost!.metric, lost!.value, lost!.unit], ['lockstep.telemetry.lost', 232, '{item}']);
  t.true(lost!.isMonotonic);
  t.is(lost!.temporality, 'AGGREGATION_TEMPORALITY_CUMULATIVE');
});

test('startTelemetry: what a sink refuses or throws away by an error is counted', async (t) => {
  const telemetry = await start({ add: () => Promise.reject(new Error('full')) });
  telemetry.tracer.startSpan('one').end();
  await telemetry.flush(30_000);
  t.is(telemetry.lost().traces, 1);
  telemetry.tracer.startSpan('two').end();
  await telemetry.shutdown();
  t.is(telemetry.lost().traces, 2);
});

test.serial(
  'shutdown resolves within 5 s though the sink hangs, and counts what was left',
  async (t) => {
    const telemetry = await start(hanging);
    for (let index = 0; index < 3000; index += 1) telemetry.tracer.startSpan('left').end();
    telemetry.logs!.emit({ body: 'left' });
    const beganMs = performance.now();
    await Promise.all([telemetry.shutdown(), telemetry.shutdown()]);
    t.true(performance.now() - beganMs < 5000);
    t.is(telemetry.lost().traces, 3000);
    t.is(telemetry.lost().logs, 1);
  },
);

test('startTelemetry: nothing is sent while it may not be, and everything after', async (t) => {
  const sink = new CollectingSink();
  let isGoing = true;
  const telemetry = await start(sink, { mayExport: () => !isGoing, healthEveryMs: 20 });
  observeHealth(telemetry.meter, { 'lockstep.outbox.pending': () => [{ value: 3 }] });
  telemetry.tracer.startSpan('held').end();
  telemetry.logs!.emit({ body: 'held' });
  await new Promise((resolve) => setTimeout(resolve, 1300));
  t.deepEqual(sink.payloads, []);
  isGoing = false;
  await until(() => sink.items('traces') + sink.items('logs') === 2, 'what was held');
  await until(() => sink.items('metrics') > 0, 'health');
  await telemetry.shutdown();
  t.is(sink.points()[0]!.value, 3);
});

test('nudge: what waited for the end of a trial is sent in the moment between two', async (t) => {
  const sink = new CollectingSink();
  let isGoing = true;
  const telemetry = await start(sink, { mayExport: () => !isGoing, healthEveryMs: 20 });
  observeHealth(telemetry.meter, { 'lockstep.outbox.pending': () => [{ value: 3 }] });
  telemetry.tracer.startSpan('held').end();
  await new Promise((resolve) => setTimeout(resolve, 100));
  telemetry.nudge();
  t.is(sink.payloads.length, 0);
  isGoing = false;
  telemetry.nudge();
  isGoing = true;
  await until(() => sink.payloads.length === 2, 'span and health');
  t.deepEqual(sink.payloads.map(({ signal }) => signal).toSorted(), ['metrics', 'traces']);
  isGoing = false;
  await telemetry.shutdown();
});

test('startTelemetry: a payload that is too large is divided', async (t) => {
  const sink = new CollectingSink();
  const telemetry = await start(sink);
  for (let index = 0; index < 1000; index += 1) {
    const noise = Buffer.from(Array.from({ length: 3000 }, () => Math.random() * 256));
    telemetry.tracer.startSpan('large', { attributes: { noise: noise.toString('base64') } }).end();
  }
  await telemetry.shutdown();
  t.is(sink.items('traces'), 1000);
  t.true(sink.payloads.length > 2);
  t.true(sink.payloads.every(({ bytes }) => bytes.byteLength <= 1024 * 1024));
});

test('startTelemetry: OTEL_SDK_DISABLED turns everything off', async (t) => {
  const sink = new CollectingSink();
  const telemetry = await startTelemetry({
    service: 'lockstep-agent',
    resource: RESOURCE,
    sink,
    environment: { OTEL_SDK_DISABLED: 'True' },
  });
  t.false(telemetry.isOn);
  telemetry.tracer.startSpan('one').end();
  observeHealth(telemetry.meter, { 'lockstep.outbox.pending': () => [{ value: 3 }] });
  await telemetry.flush(100);
  await telemetry.shutdown();
  t.deepEqual(sink.payloads, []);
});

test('startTelemetry: several live in one process, and no library finds any', async (t) => {
  const [left, right] = [new CollectingSink(), new CollectingSink()];
  const first = await start(left);
  const second = await start(right);
  trace.getTracer('some library').startSpan('stray').end();
  metrics.getMeter('some library').createCounter('stray').add(1);
  first.tracer.startSpan('left').end();
  second.tracer.startSpan('right').end();
  await Promise.all([first.shutdown(), second.shutdown()]);
  t.deepEqual(
    [left, right].map((sink) => sink.spans().map(({ name }) => name)),
    [['left'], ['right']],
  );
});

// The SDK adds exporters for the Collector's ports by itself where it is left to; a program with
// variables that ask for them, and servers in place of the Collector, show that it does not.
test('startTelemetry opens no connection, whatever the variables say', async (t) => {
  let connections = 0;
  const servers = await Promise.all(
    [0, 0].map(async () => {
      const server = createServer((socket) => {
        connections += 1;
        socket.destroy();
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.teardown(() => server.close());
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }),
  );
  const child = spawn(process.execPath, [join(import.meta.dirname, 'every-signal.ts')], {
    cwd: CHECKOUT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      OTEL_TRACES_EXPORTER: 'otlp,zipkin,console',
      OTEL_METRICS_EXPORTER: 'otlp,prometheus,console',
      OTEL_LOGS_EXPORTER: 'otlp,console',
      OTEL_EXPORTER_OTLP_ENDPOINT: servers[0],
      OTEL_EXPORTER_ZIPKIN_ENDPOINT: servers[1],
      OTEL_METRIC_EXPORT_INTERVAL: '100',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_RESOURCE_ATTRIBUTES: 'stray=yes',
      OTEL_TRACES_SAMPLER: 'always_off',
    },
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  t.is(code, 0);
  // One line, and nothing of the console exporters.
  t.deepEqual(JSON.parse(printed), {
    payloads: ['logs', 'metrics', 'traces'],
    sockets: [],
    resource: { 'service.name': 'lockstep-coordinator', 'device.id': 'd1' },
  });
  t.is(connections, 0);
});

test('PayloadSink: payloads say what is in them', async (t) => {
  const seen: Payload[] = [];
  const telemetry = await start({
    add: (payload) => {
      seen.push(payload);
      return Promise.resolve();
    },
  });
  telemetry.tracer.startSpan('one', { startTime: [5, 7] }).end([5, 9]);
  await telemetry.shutdown();
  t.deepEqual(
    seen.map(({ signal, items }) => [signal, items]),
    [['traces', 1]],
  );
});
