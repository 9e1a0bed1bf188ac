import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import test from 'ava';
import { SYSTEM_ROOTS } from '../../agent/collectors/collector.ts';
import { HOST_COLLECTORS, SANDBOX_COLLECTORS } from '../../agent/collectors/registry.ts';
import { CONTEXT_ATTRIBUTES, SERIES_ATTRIBUTES } from '../../schemas/telemetry-attributes.ts';
import { SAMPLED_METRICS, SCHEMA_URL, SOURCE_NAMES } from '../../schemas/telemetry-names.ts';
import type { MetricDefinition } from '../../schemas/telemetry-names.ts';

const METRICS: readonly [string, MetricDefinition][] = Object.entries(SAMPLED_METRICS);
const ATTRIBUTES = Object.keys({ ...SERIES_ATTRIBUTES, ...CONTEXT_ATTRIBUTES });
const isOwn = (name: string): boolean => name.startsWith('lockstep.');

// The units are not in the package; these are those of the conventions' own tables.
const UNITS: Readonly<Record<string, string>> = {
  'container.cpu.time': 's',
  'container.disk.io': 'By',
  'container.memory.rss': 'By',
  'container.memory.usage': 'By',
  'container.memory.working_set': 'By',
  'container.network.io': 'By',
  'container.paging.faults': '{fault}',
  'hw.energy': 'J',
  'hw.power': 'W',
  'hw.temperature': 'Cel',
  'system.cpu.frequency': 'Hz',
  'system.cpu.time': 's',
  'system.disk.io': 'By',
  'system.disk.io_time': 's',
  'system.disk.operations': '{operation}',
  'system.memory.linux.available': 'By',
  'system.memory.usage': 'By',
  'system.network.errors': '{error}',
  'system.network.io': 'By',
  'system.network.packet.count': '{packet}',
  'system.network.packet.dropped': '{packet}',
};

const PACKAGE = join(import.meta.dirname, '../../node_modules/@opentelemetry/semantic-conventions');

/** Names that the package declares of a kind, without those that it calls deprecated. */
function declaredNames(kind: 'METRIC' | 'ATTR'): Set<string> {
  const part = kind === 'METRIC' ? 'metrics' : 'attributes';
  const texts = ['stable', 'experimental'].map((level) =>
    readFileSync(join(PACKAGE, 'dist', `${level}_${part}.d.mts`), 'utf8'),
  );
  const pattern = new RegExp(
    `/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s*declare const ${kind}_\\w+: "([^"]+)"`,
    'g',
  );
  return new Set(
    texts.flatMap((text) =>
      [...text.matchAll(pattern)].flatMap(([, comment = '', name = '']) =>
        comment.includes('@deprecated') ? [] : [name],
      ),
    ),
  );
}

test('every metric that is not our own is in the conventions and not deprecated', (t) => {
  const declared = declaredNames('METRIC');
  t.true(declared.size > 300);
  t.false(declared.has('system.network.packets'), 'deprecated names are left out');
  const foreign = METRICS.map(([name]) => name).filter((name) => !isOwn(name));
  t.deepEqual(
    foreign.filter((name) => !declared.has(name)),
    [],
  );
  t.deepEqual(foreign.toSorted(), Object.keys(UNITS).toSorted());
});

test('every attribute that is not our own is in the conventions and not deprecated', (t) => {
  const declared = declaredNames('ATTR');
  t.true(declared.size > 500);
  t.deepEqual(
    ATTRIBUTES.filter((name) => !isOwn(name) && !declared.has(name)),
    [],
  );
});

test('metrics of the conventions have their units, and no gauge has a unit of 1', (t) => {
  for (const [name, { unit }] of METRICS) {
    if (!isOwn(name)) t.is(UNITS[name], unit, name);
    t.not(unit, '1', `${name} would be called a ratio`);
  }
});

test('the schema URL is that of the package', (t) => {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as {
    version: string;
  };
  t.is(SCHEMA_URL, `https://opentelemetry.io/schemas/${version}`);
});

test('values of attributes of the conventions are theirs', (t) => {
  const known = Object.entries(conventions as Record<string, unknown>);
  const valuesOf = (attribute: string): unknown[] => {
    const prefix = `${attribute.replaceAll('.', '_').toUpperCase()}_VALUE_`;
    return known.flatMap(([name, value]) => (name.startsWith(prefix) ? [value] : []));
  };
  let compared = 0;
  for (const collector of Object.values(HOST_COLLECTORS)) {
    const source = collector.open(SYSTEM_ROOTS);
    if ('unavailable' in source || source.pace === 'slow') continue;
    source.close();
    for (const { attributes = {} } of source.series) {
      for (const [name, value] of Object.entries(attributes)) {
        const values = valuesOf(name);
        if (values.length === 0) continue;
        t.true(values.includes(value), `${name} has no ${value}`);
        compared += 1;
      }
    }
  }
  t.true(compared > 10);
});

test('every source has exactly one collector', (t) => {
  const collectors = [...Object.entries(SANDBOX_COLLECTORS), ...Object.entries(HOST_COLLECTORS)];
  t.deepEqual(collectors.map(([, { source }]) => source).toSorted(), [...SOURCE_NAMES].toSorted());
  t.deepEqual(
    collectors.filter(([name, { source }]) => name !== source),
    [],
  );
});
