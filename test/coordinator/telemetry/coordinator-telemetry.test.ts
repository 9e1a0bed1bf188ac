import test from 'ava';
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Bus } from '../../../bus/bus.ts';
import { readStreamSize } from '../../../bus/stream-size.ts';
import { ensureStream, readStream, TELEMETRY } from '../../../bus/streams.ts';
import { CoordinatorTelemetry } from '../../../coordinator/telemetry/coordinator-telemetry.ts';
import { Relay } from '../../../coordinator/relay/relay.ts';
import { telemetrySubject, TELEMETRY_STREAM } from '../../../schemas/subjects.ts';
import { LogOutlet } from '../../../telemetry/log-outlet.ts';
import type { Destination } from '../../../telemetry/payload.ts';
import { startTestBus } from '../../support/nats-server.ts';
import type { Teardown } from '../../support/nats-server.ts';
import { until } from '../../support/until.ts';
import { CollectingSink } from '../../telemetry/sdk/collecting-sink.ts';

const silent = pino({ level: 'silent' });

async function openTelemetry(t: Teardown, bus: Bus, logOutlet?: LogOutlet) {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-spool-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return CoordinatorTelemetry.open({
    bus,
    folder,
    environment: {},
    logger: silent,
    ...(logOutlet === undefined ? {} : { logOutlet }),
  });
}

test('CoordinatorTelemetry: spans, health and logs arrive through stream and relay', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect({ role: 'coordinator', user: 'coordinator' });
  await ensureStream(bus, TELEMETRY);
  const sink = new CollectingSink();
  const endpoint: Destination = {
    name: 'collecting',
    send: async (payload) => {
      await sink.add(payload);
      return { outcome: 'accepted', rejected: 0 };
    },
    close: () => Promise.resolve(),
  };
  const relay = await Relay.start({ bus, endpoints: [endpoint], logger: silent });
  t.teardown(() => relay.stop());
  const lines: string[] = [];
  const outlet = new LogOutlet({ write: (line) => lines.push(line) });
  const telemetry = await openTelemetry(t, bus, outlet);
  telemetry.start({
    devices: () => ({ idle: 3 }),
    runs: () => ({ queued: 0, going: 1 }),
    results: () => ({ ok: 5, failed: 0 }),
    relay: () => relay.health,
    streams: () => Promise.all([readStreamSize(bus, TELEMETRY_STREAM)]),
  });
  telemetry.tracer.startSpan('run').end();
  pino({}, outlet).info({ runId: 'r1' }, 'hello');
  await telemetry.stop();
  await until(() => sink.items('traces') > 0 && sink.items('logs') > 0, 'spans and logs');
  await until(() => sink.items('metrics') > 0, 'health');
  t.is(lines.length, 1);
  t.like(sink.spans()[0]!.resource, {
    'service.name': 'lockstep-coordinator',
    'host.name': hostname(),
  });
  t.is(sink.records()[0]!.attributes['lockstep.run.id'], 'r1');
  const valueOf = (metric: string) => sink.points().find((p) => p.metric === metric)?.value;
  t.is(valueOf('lockstep.results.recorded'), 5);
  t.is(valueOf('lockstep.devices'), 3);
  t.true(valueOf('lockstep.stream.messages')! >= 0);
  t.is(valueOf('lockstep.relay.retries'), 0);
});

test('CoordinatorTelemetry: nothing leaves while a trial goes', async (t) => {
  const server = await startTestBus(t);
  const bus = await server.connect({ role: 'coordinator', user: 'coordinator' });
  // With a stream that keeps all, what was sent can be counted without an endpoint.
  await ensureStream(bus, { ...TELEMETRY, retention: 'limits' });
  const telemetry = await openTelemetry(t, bus);
  t.teardown(() => telemetry.stop());
  telemetry.start({
    devices: () => ({}),
    runs: () => ({ queued: 0, going: 0 }),
    results: () => ({ ok: 0, failed: 0 }),
    relay: () => [],
    streams: () => Promise.resolve([]),
  });
  telemetry.onQuiet(true);
  telemetry.onQuiet(true);
  telemetry.tracer.startSpan('dispatch trial').end();
  telemetry.onQuiet(false);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  t.is((await readStreamSize(bus, TELEMETRY_STREAM)).messages, 0);
  telemetry.onQuiet(false);
  await until(
    async () => (await readStreamSize(bus, TELEMETRY_STREAM)).messages > 0,
    'the span in the stream',
  );
  const subjects: string[] = [];
  for await (const { subject } of readStream(bus, TELEMETRY_STREAM, '>')) subjects.push(subject);
  t.is(subjects.length, 1);
  t.true(subjects[0]!.startsWith(telemetrySubject('traces', 'coordinator')));
});
