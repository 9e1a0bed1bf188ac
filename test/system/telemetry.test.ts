import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import {
  prometheusLabel,
  prometheusName,
} from '../../provisioning/observability/prometheus-name.ts';
import { decodeMessage } from '../../schemas/protocol.ts';
import { TrialResult } from '../../schemas/result.ts';
import { SampleBlock } from '../../schemas/telemetry.ts';
import { SAMPLED_METRICS } from '../../schemas/telemetry-names.ts';
import type { SampledMetric } from '../../schemas/telemetry-names.ts';
import { OtlpCollector } from '../support/otlp-collector.ts';
import type { CollectedSpan } from '../support/otlp-collector.ts';
import { hasFunctions, onlyHelloGo, TestHome } from '../support/stack.ts';
import { testServersFor } from '../support/test-servers.ts';
import { startVictoriaMetrics } from '../support/victoria-metrics.ts';
import type { VictoriaMetrics } from '../support/victoria-metrics.ts';

const EXPERIMENT = `experiment: telemetry
question: Does what is sampled arrive?
procedure: { kind: burst, readyTimeoutMs: 20000 }
factors: { sandbox: [process, runc], function: [hello-go], instances: [2] }
repetitions: 2
unavailable: skip
budget: { latenessMs: 10000, clockBoundMs: 1000 }
telemetry: { rateHz: 100 }
`;

async function lines<T>(path: string, decode: (value: unknown) => T): Promise<T[]> {
  const text = await readFile(path, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => decode(JSON.parse(line)));
}

/** What one series holds, by the labels that it has in the database. */
interface RawSeries {
  readonly metric: SampledMetric;
  readonly labels: Readonly<Record<string, string>>;
  readonly values: number[];
  /** When each was read, ms since 1970: a database keeps no finer instants. */
  readonly atUtcMs: bigint[];
}

function rawSeries(blocks: readonly SampleBlock[]): Map<string, RawSeries> {
  const all = new Map<string, RawSeries>();
  for (const block of blocks.toSorted((left, right) => left.sequence - right.sequence)) {
    for (const { instance, series, firstMonoNs, stepsNs } of block.groups) {
      let atMonoNs = firstMonoNs;
      const instants = [0, ...stepsNs].map(
        (step) => ((atMonoNs += BigInt(step)) + block.utcMinusMonoNs) / 1_000_000n,
      );
      for (const { metric, attributes = {}, values } of series) {
        const labels = {
          ...attributes,
          'device.id': block.deviceId,
          'lockstep.trial.id': block.trialId,
          ...(instance === undefined ? {} : { 'lockstep.instance.index': String(instance) }),
        };
        const key = JSON.stringify([metric, labels]);
        const known: RawSeries = all.get(key) ?? {
          metric: metric as SampledMetric,
          labels,
          values: [],
          atUtcMs: [],
        };
        all.set(key, known);
        for (const [index, value] of values.entries()) {
          if (value === null) continue;
          known.values.push(value);
          known.atUtcMs.push(instants[index]!);
        }
      }
    }
  }
  return all;
}

const STORED_WITHIN_MS = 20_000;

/** Waits until as many points are there as were sampled, or a time has passed. */
async function untilStored(database: VictoriaMetrics, series: readonly RawSeries[]): Promise<void> {
  const wanted = series.reduce((sum, { values }) => sum + values.length, 0);
  const giveUpAtMs = performance.now() + STORED_WITHIN_MS;
  for (;;) {
    await database.flush();
    const query = 'sum(count_over_time({lockstep_trial_id!=""}[1h]))';
    const [answer] = await database.queryInstant(query, Date.now() + 1000);
    if ((answer?.points[0]?.[1] ?? 0) >= wanted || performance.now() > giveUpAtMs) return;
    await delay(100);
  }
}

async function assertStored(
  t: ExecutionContext,
  database: VictoriaMetrics,
  series: readonly RawSeries[],
): Promise<void> {
  await untilStored(database, series);
  const nowMs = Date.now() + 1000;
  for (const { metric, labels, values, atUtcMs } of series) {
    if (values.length === 0) continue;
    const name = prometheusName(metric, SAMPLED_METRICS[metric]);
    // An absent label matches only series that lack it: those of the device itself.
    const wanted = { 'lockstep.instance.index': '', ...labels };
    const selector = Object.entries(wanted).map(
      ([label, value]) => `${prometheusLabel(label)}=${JSON.stringify(value)}`,
    );
    const of = `${name}{${selector.join(',')}}[1h]`;
    const [counted, first, last] = await Promise.all(
      ['count', 'first', 'last'].map((kind) =>
        database.queryInstant(`${kind}_over_time(${of})`, nowMs),
      ),
    );
    const found = [counted, first, last].map((answer) => answer?.[0]?.points[0]?.[1]);
    t.is(found[0], values.length, of);
    // Of two in one millisecond, either may come out as the first or the last there.
    for (const [value, edge] of [
      [found[1], atUtcMs[0]],
      [found[2], atUtcMs.at(-1)],
    ] as const) {
      const there = values.filter((_, index) => atUtcMs[index] === edge);
      t.true(there.includes(Number(value)), `${of}: ${value} is not among ${there.join()}`);
    }
  }
}

function assertTraces(t: ExecutionContext, spans: readonly CollectedSpan[], runId: string): void {
  const ofTrials = spans.filter(
    ({ attributes, name }) => attributes['lockstep.run.id'] === runId && name !== 'run',
  );
  const trials = Map.groupBy(ofTrials, ({ traceId }) => traceId);
  for (const [traceId] of trials) {
    const trace = spans.filter((span) => span.traceId === traceId);
    const byId = new Map(trace.map((span) => [span.spanId, span]));
    t.is(byId.size, trace.length, 'every span once');
    const roots = trace.filter(({ parentSpanId }) => parentSpanId === '');
    t.deepEqual(
      roots.map(({ service, name }) => [service, name]),
      [['lockstep-coordinator', 'dispatch trial']],
    );
    for (const span of trace) {
      if (span.parentSpanId === '') continue;
      const parent = byId.get(span.parentSpanId);
      if (parent === undefined) {
        t.fail(`${span.name} is an orphan`);
        continue;
      }
      const boundNs = BigInt(
        Math.ceil(Number(span.attributes['lockstep.clock.bound'] ?? 0) * 1e9) + 1,
      );
      t.true(span.startUtcNs >= parent.startUtcNs - boundNs, `${parent.name} > ${span.name}`);
      t.true(span.endUtcNs <= parent.endUtcNs + boundNs, `${parent.name} > ${span.name}`);
    }
    t.is(trace.filter(({ name }) => name === 'process trial').length, 2, 'one per device');
  }
}

test.serial('samples, spans and logs of a run arrive whole, at their places', async (t) => {
  const servers = testServersFor(t, 'victoriaMetrics');
  if (servers === undefined) return;
  if (!(await hasFunctions())) {
    t.log('skipped: the functions are not built on this machine');
    t.pass();
    return;
  }
  const database = await startVictoriaMetrics(t, servers.victoriaMetrics);
  const collector = await OtlpCollector.start(t);
  const home = await TestHome.create(t, {
    ...(await onlyHelloGo(t)),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  });
  const endpoints = join(home.folder, 'endpoints.yaml');
  await writeFile(
    endpoints,
    `endpoints:\n  - name: database\n    urls: { metrics: "${database.otlpUrl}" }\n`,
  );
  const file = join(home.folder, 'telemetry.yaml');
  await writeFile(file, EXPERIMENT);
  const up = home.start(
    'up',
    '--agents',
    '2',
    '--port',
    '0',
    '--sandboxes',
    'process,runc',
    '--otlp',
    endpoints,
  );
  await up.shows('database: metrics to http://127.0.0.1');
  await up.shows('ready; end it');
  const run = await home.run('run', file);
  t.is(run.code, 0, run.stderr);
  const [runId = ''] = await readdir(join(home.folder, 'runs'));
  const folder = join(home.folder, 'runs', runId);

  const results = await lines(join(folder, 'results.ndjson'), (value) =>
    decodeMessage(TrialResult, value, 'results'),
  );
  const blocks = await lines(join(folder, 'samples.ndjson'), (value) =>
    decodeMessage(SampleBlock, value, 'samples'),
  );
  let announced = 0;
  for (const { telemetry } of results) {
    if (telemetry === undefined || 'failure' in telemetry) {
      t.fail(JSON.stringify(telemetry));
      continue;
    }
    announced += telemetry.blocks;
    t.true(telemetry.samples > 0);
  }
  t.is(blocks.length, announced);
  t.true((await readdir(folder)).includes('samples.parquet'));
  const raw = [...rawSeries(blocks).values()];
  for (const metric of ['container.cpu.time', 'container.memory.usage', 'system.cpu.time']) {
    t.true(
      raw.some((series) => series.metric === metric && series.values.length > 1),
      metric,
    );
  }
  await assertStored(t, database, raw);
  const giveUpAtMs = performance.now() + STORED_WITHIN_MS;
  const tracedTrials = () => collector.spans().filter(({ name }) => name === 'process trial');
  while (tracedTrials().length < results.length && performance.now() < giveUpAtMs) await delay(100);
  up.child.kill('SIGTERM');
  t.is((await up.ended).code, 0);

  const spans = collector.spans();
  t.is(spans.filter(({ name }) => name === 'dispatch trial').length, results.length / 2);
  assertTraces(t, spans, runId);
  t.true(collector.requests.logs.length > 0);
  t.deepEqual(await home.processIds(), []);
});
