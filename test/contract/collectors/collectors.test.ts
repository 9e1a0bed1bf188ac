// What every collector of the registry must keep, on this machine as it is.
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SYSTEM_ROOTS } from '../../../agent/collectors/collector.ts';
import type {
  FastSource,
  OpenedSource,
  SandboxTarget,
  SeriesIdentity,
} from '../../../agent/collectors/collector.ts';
import { readFinal } from '../../../agent/collectors/final-reading.ts';
import { HOST_COLLECTORS, SANDBOX_COLLECTORS } from '../../../agent/collectors/registry.ts';
import { SAMPLED_METRICS } from '../../../schemas/telemetry-names.ts';
import type {
  MetricDefinition,
  SampledMetric,
  SourceName,
} from '../../../schemas/telemetry-names.ts';
import { crowdGroup, setStage } from './stage.ts';
import type { Stage } from './stage.ts';

const READINGS = 40;
const GAP_MS = 5;
const READING_TIMEOUT_MS = 5_000;
const TEXT_MAX = 512;

/** What must move under the load of the stage, where the source can be read at all. */
const MOVING: Partial<Record<SourceName, SampledMetric>> = {
  'cgroup-cpu': 'container.cpu.time',
  'cgroup-memory': 'container.memory.usage',
  'cgroup-memory-stat': 'container.paging.faults',
  'sandbox-network': 'lockstep.sandbox.network.packets',
  'host-cpu': 'lockstep.host.context_switches',
};

type Open = (target: SandboxTarget) => OpenedSource;

const OPENERS: readonly (readonly [SourceName, Open])[] = [
  ...Object.values(SANDBOX_COLLECTORS).map(
    (collector) =>
      [collector.source, (target: SandboxTarget) => collector.open(target, SYSTEM_ROOTS)] as const,
  ),
  ...Object.values(HOST_COLLECTORS).map(
    (collector) => [collector.source, () => collector.open(SYSTEM_ROOTS)] as const,
  ),
];

function definitionOf({ metric }: SeriesIdentity): MetricDefinition {
  return SAMPLED_METRICS[metric];
}

function assertKnown(t: ExecutionContext, series: readonly SeriesIdentity[]): void {
  const seen = new Set<string>();
  for (const one of series) {
    const { metric, attributes = {} } = one;
    t.true(metric in SAMPLED_METRICS, `${metric} is not known`);
    const allowed: readonly string[] = definitionOf(one).attributes;
    for (const [name, value] of Object.entries(attributes)) {
      t.true(allowed.includes(name), `${metric} has no attribute ${name}`);
      t.true(value.length > 0 && value.length <= 128);
    }
    seen.add(JSON.stringify([metric, Object.entries(attributes).toSorted()]));
  }
  t.is(seen.size, series.length, 'two series are the same');
}

function descriptors(): string[] {
  return readdirSync('/proc/self/fd').toSorted();
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** Reads under load and checks each row against the one before. */
async function readSome(
  t: ExecutionContext,
  name: string,
  source: FastSource,
): Promise<Set<string>> {
  const row = new Float64Array(source.series.length);
  const before = new Float64Array(source.series.length).fill(Number.NaN);
  const moved = new Set<string>();
  let read = 0;
  for (let round = 0; round < READINGS; round += 1) {
    const outcome = source.read(row);
    t.not(outcome, 'ended');
    if (outcome === 'read') {
      read += 1;
      source.series.forEach((series, place) => {
        const value = row[place]!;
        const last = before[place]!;
        t.true(Number.isNaN(value) || Number.isFinite(value));
        if (definitionOf(series).kind === 'counter') {
          t.true(value >= 0 || Number.isNaN(value));
          t.false(value < last, `${name}: ${series.metric} fell from ${last} to ${value}`);
        }
        if (value !== last && round > 0) moved.add(series.metric);
      });
      before.set(row);
    }
    await delay(GAP_MS);
  }
  t.true(read > 0 || name === 'sandbox-network', `${name} was never read`);
  return moved;
}

function assertSteady(t: ExecutionContext, name: string, source: FastSource): void {
  const row = new Float64Array(source.series.length);
  const readMany = (): void => {
    for (let round = 0; round < 2000; round += 1) source.read(row);
  };
  readMany();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  readMany();
  collectGarbage();
  const grown = process.memoryUsage().heapUsed - before;
  t.true(grown < 200_000, `${name} keeps ${grown} bytes of 2000 readings`);
}

let stage: Stage | undefined;

test.before(async () => {
  stage = await setStage('load');
});

test.after.always(async () => {
  await stage?.remove();
});

for (const [name, open] of OPENERS) {
  test.serial(
    `${name} says why it can't be read, or reads known series that never fall`,
    async (t) => {
      const { target } = stage!;
      const before = descriptors();
      const source = open(target);
      if ('unavailable' in source) {
        t.true(source.unavailable.length > 10 && source.unavailable.length <= TEXT_MAX);
        t.true((source.remedy ?? 'x').length <= TEXT_MAX);
        t.log(`unavailable: ${source.unavailable}`);
        return;
      }
      t.true((source.limit?.hz ?? 1) > 0);
      if (source.pace === 'slow') {
        const readings = await Promise.race([
          source.read(),
          delay(READING_TIMEOUT_MS, 'late' as const, { ref: false }),
        ]);
        t.not(readings, 'late', `${name} took too long`);
        t.not(readings, 'ended');
        if (typeof readings === 'object') assertKnown(t, readings);
        await source.close();
      } else {
        assertKnown(t, source.series);
        t.true(source.series.length > 0);
        const moved = await readSome(t, name, source);
        const moving = MOVING[name];
        if (moving !== undefined) t.true(moved.has(moving), `${name}: ${moving} stood still`);
        assertSteady(t, name, source);
        source.close();
        t.not(source.read(new Float64Array(source.series.length)), 'read');
      }
      t.deepEqual(descriptors(), before, `${name} leaves descriptors open`);
    },
  );
}

const GROUP_SOURCES = OPENERS.filter(([name]) => name.startsWith('cgroup-'));

test.serial(
  'a group can be read after its last process, and has ended once it is removed',
  async (t) => {
    const { target, end, remove } = await setStage('removal');
    t.teardown(remove);
    const opened = GROUP_SOURCES.flatMap(([name, open]) => {
      const source = open(target);
      return 'unavailable' in source || source.pace === 'slow' ? [] : [{ name, source }];
    });
    if (target.cgroup.mode === 'none') {
      t.is(opened.length, 0);
      return;
    }
    t.true(opened.length > 2);
    await end();
    for (const { name, source } of opened) {
      t.is(source.read(new Float64Array(source.series.length)), 'read', name);
    }
    const openBefore = descriptors();
    const finals = readFinal(target, SYSTEM_ROOTS, () => process.hrtime.bigint());
    t.deepEqual(descriptors(), openBefore);
    t.is(finals.length, opened.length);
    for (const { metric, value } of finals.flatMap(({ readings }) => readings)) {
      if (metric === 'container.cpu.time') t.true(value > 0);
    }
    await remove();
    t.is(readFinal(target, SYSTEM_ROOTS, () => 0n).length, 0);
    for (const { name, source } of opened) {
      for (let round = 0; round < 2; round += 1) {
        t.is(source.read(new Float64Array(source.series.length)), 'ended', name);
      }
      source.close();
    }
  },
);

test.serial(
  'a real group of version 2 shows CPU time and who waited for it, and ends',
  async (t) => {
    const crowd = await crowdGroup();
    if (crowd === undefined) {
      t.log('skipped: there is no version 2 of control groups that can be written');
      t.pass();
      return;
    }
    const { folder } = crowd;
    const cgroup = { mode: 'v2', cpuacct: folder, processes: folder } as const;
    const target = { index: 0, id: 's0', cgroup };
    const pressure = SANDBOX_COLLECTORS['cgroup-pressure'].open(target, SYSTEM_ROOTS);
    const cpu = SANDBOX_COLLECTORS['cgroup-cpu'].open(target, SYSTEM_ROOTS);
    if ('unavailable' in pressure) t.log(`unavailable: ${pressure.unavailable}`);
    const sources = [cpu, pressure].flatMap((one) =>
      'unavailable' in one || one.pace === 'slow' ? [] : [one],
    );
    t.true(sources.length > 0);
    const rows = sources.map((source) => new Float64Array(source.series.length));
    try {
      sources.forEach((source, index) => t.is(source.read(rows[index]!), 'read'));
      const before = rows.map((row) => [...row]);
      await delay(150);
      sources.forEach((source, index) => {
        t.is(source.read(rows[index]!), 'read');
        // The first series are all CPU time, and some waiting for a processor.
        t.true(rows[index]![0]! > before[index]![0]!, source.series[0]?.metric);
      });
    } finally {
      await crowd.remove();
    }
    for (const [index, source] of sources.entries()) {
      t.is(source.read(rows[index]!), 'ended');
      source.close();
    }
  },
);
