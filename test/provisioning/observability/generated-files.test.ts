import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { generateFiles } from '../../../provisioning/observability/generated-files.ts';
import { withTables } from '../../../provisioning/observability/name-tables.ts';
import { prometheusName } from '../../../provisioning/observability/prometheus-name.ts';
import { HEALTH_METRICS } from '../../../schemas/health-metrics.ts';
import { SPAN_NAMES } from '../../../schemas/span-names.ts';
import { CONTEXT_ATTRIBUTES, SERIES_ATTRIBUTES } from '../../../schemas/telemetry-attributes.ts';
import { SAMPLED_METRICS, SOURCES } from '../../../schemas/telemetry-names.ts';
import { CHECKOUT } from '../../support/nats-server.ts';

const read = (path: string): Promise<string> => readFile(join(CHECKOUT, path), 'utf8');

test('dashboards and docs/telemetry.md are what "npm run schema" would write', async (t) => {
  const files = await generateFiles();
  t.is(files.size, 5);
  for (const [path, text] of files) t.is(await read(path), text, path);
});

test('docs/telemetry.md has every name', async (t) => {
  const text = await read('docs/telemetry.md');
  const groups = [SOURCES, SAMPLED_METRICS, HEALTH_METRICS, SERIES_ATTRIBUTES, CONTEXT_ATTRIBUTES];
  const names = [...groups, SPAN_NAMES].flatMap((group) => Object.keys(group));
  t.true(names.length > 100);
  t.deepEqual(
    names.filter((name) => !text.includes(`\n| \`${name}\``)),
    [],
  );
});

test('withTables refuses a text without a place for a table', (t) => {
  t.throws(() => withTables('# Telemetry\n'), { message: /no marks for the table sources/ });
});

test('prometheusName adds the unit and what a counter ends with, each once', (t) => {
  t.is(prometheusName('a.cpu.time', { kind: 'counter', unit: 's' }), 'a_cpu_time_seconds_total');
  t.is(prometheusName('a.io_time', { kind: 'gauge', unit: '{item}' }), 'a_io_time');
  t.is(prometheusName('a.bytes', { kind: 'level', unit: 'By' }), 'a_bytes');
});

test("the Collector's example leads each signal through parts that it defines", async (t) => {
  const config = parse(await read('provisioning/observability/collector/config.yaml')) as {
    service: { pipelines: Record<string, Record<string, string[]>> };
  } & Record<string, Record<string, unknown>>;
  t.deepEqual(Object.keys(config.service.pipelines).toSorted(), ['logs', 'metrics', 'traces']);
  for (const pipeline of Object.values(config.service.pipelines)) {
    for (const [kind, parts] of Object.entries(pipeline)) {
      for (const part of parts) t.true(part in (config[kind] ?? {}), `${kind}: ${part}`);
    }
  }
});
