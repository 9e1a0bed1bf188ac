import test from 'ava';
import fc from 'fast-check';
import { pino } from 'pino';
import { logStream, telemetryLogger } from '../../../telemetry/sdk/pino-log-stream.ts';
import type { LogStream } from '../../../telemetry/sdk/pino-log-stream.ts';
import { startTelemetry } from '../../../telemetry/sdk/set-up.ts';
import { CollectingSink } from './collecting-sink.ts';

const SPAN = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 };

async function record(write: (stream: LogStream) => void, span: typeof SPAN | undefined = SPAN) {
  const sink = new CollectingSink();
  const telemetry = await startTelemetry({
    service: 'lockstep-agent',
    resource: {},
    sink,
    environment: {},
  });
  const stream = logStream(telemetry.logs!, () => span);
  write(stream);
  await telemetry.shutdown();
  return { records: sink.records(), stream };
}

test('logStream: a line of pino becomes a record with severity, ids and attributes', async (t) => {
  const atMs = Date.UTC(2026, 10, 23);
  const { records } = await record((stream) => {
    const timestamp = () => `,"time":${atMs}`;
    const logger = pino({ name: 'agent', timestamp }, stream);
    logger.warn({ runId: 'r1', trialId: 't1', count: 3, late: true, deep: { a: [1] } }, 'careful');
  });
  t.deepEqual(records, [
    {
      severityText: 'WARN',
      severityNumber: 'SEVERITY_NUMBER_WARN',
      body: 'careful',
      atUtcNs: BigInt(atMs) * 1_000_000n,
      attributes: {
        name: 'agent',
        'lockstep.run.id': 'r1',
        'lockstep.trial.id': 't1',
        count: 3,
        late: true,
        deep: '{"a":[1]}',
      },
      traceId: SPAN.traceId,
      spanId: SPAN.spanId,
    },
  ]);
});

test('logStream: every level of pino has its severity', async (t) => {
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
  const { records } = await record((stream) => {
    const logger = pino({ level: 'trace' }, stream);
    for (const level of levels) logger[level]('x');
  });
  t.deepEqual(
    records.map(({ severityText }) => severityText),
    levels.map((level) => level.toUpperCase()),
  );
});

test('logStream: without a trial a record has no ids', async (t) => {
  const sink = new CollectingSink();
  const options = { service: 'lockstep-agent', resource: {}, sink, environment: {} } as const;
  const telemetry = await startTelemetry(options);
  pino(
    {},
    logStream(telemetry.logs!, () => undefined),
  ).info('x');
  await telemetry.shutdown();
  const [only] = sink.records();
  t.deepEqual([only!.traceId, only!.spanId], ['', '']);
});

test('logStream: what is logged about telemetry makes no record', async (t) => {
  const { records } = await record((stream) => {
    const logger = pino({}, stream);
    telemetryLogger(logger).child({ more: 1 }).error('the sink is full');
    logger.info('else');
  });
  t.deepEqual(
    records.map(({ body }) => body),
    ['else'],
  );
});

test('logStream: large lines are cut and a flood is dropped and counted', async (t) => {
  const { records, stream } = await record((lines) => {
    const logger = pino({}, lines);
    logger.info({ long: 'y'.repeat(5000) }, 'x'.repeat(5000));
    logger.info('z'.repeat(100_000));
    logger.info(Object.fromEntries(Array.from({ length: 100 }, (_, key) => [`key${key}`, key])));
    for (let index = 0; index < 6100; index += 1) logger.info('flood');
  });
  t.is(records.length, 6000);
  t.is(stream.dropped, 103);
  t.deepEqual(
    records.slice(0, 2).map(({ body }) => body.length),
    [4096, 4096],
  );
  t.is(String(records[0]!.attributes['long']).length, 1024);
  t.is(Object.keys(records[2]!.attributes).length, 32);
});

test('logStream never throws, whatever a line is', async (t) => {
  const { records, stream } = await record((lines) => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.object().map(JSON.stringify)), (line) => {
        lines.write(line);
      }),
    );
  });
  t.is(records.length + stream.dropped, 100);
});
