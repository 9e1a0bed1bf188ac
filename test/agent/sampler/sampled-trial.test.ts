import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { pino } from 'pino';
import type { FinalReading } from '../../../agent/collectors/collector.ts';
import { SamplerClient } from '../../../agent/sampler/client.ts';
import type { SampleOrder } from '../../../agent/sampler/protocol.ts';
import type { SourceReport } from '../../../schemas/telemetry.ts';
import type { SourceName } from '../../../schemas/telemetry-names.ts';
import { decodedBlocks, instantsOf, pointsOfBlocks, pointsOfMetrics } from './decoded-samples.ts';

const ENTRY = join(import.meta.dirname, 'scripted/main.ts');
const TRIAL = { runId: 'r', trialId: 't', attempt: 1, deviceId: 'd' };
const UTC_MINUS_MONO_NS = 1_700_000_000_000_000_123n;
const SANDBOXES = [0, 3].map((index) => ({
  index,
  id: `s${index}`,
  cgroup: { mode: 'none' } as const,
}));

// One process for all, one trial after the other, as an agent has it.
let sampler: SamplerClient;

test.before(async () => {
  sampler = await SamplerClient.start({ logger: pino({ level: 'silent' }), entry: ENTRY });
});

test.afterEach.always(() => sampler.abandon());

test.after.always(() => sampler.close());

async function begin(order: Omit<SampleOrder, 'trial'>, trialId = TRIAL.trialId): Promise<void> {
  await sampler.open({ trial: { ...TRIAL, trialId }, ...order });
  await sampler.begin();
}

test.serial('what is exported is what the blocks hold, point by point', async (t) => {
  await begin({
    rateHz: 250,
    sandboxes: SANDBOXES,
    exportAs: { 'a.b': 'c' },
  });
  await delay(250);
  const soFar = await sampler.takeSoFar(UTC_MINUS_MONO_NS);
  await delay(150);
  const { report, ...rest } = await sampler.end([], UTC_MINUS_MONO_NS);
  const inBlocks = pointsOfBlocks(decodedBlocks([...soFar.blocks, ...rest.blocks]));
  const metrics = [...soFar.metrics, ...rest.metrics];
  const exported = pointsOfMetrics(metrics);
  t.true(inBlocks.size > 200);
  t.deepEqual([...exported.keys()].sort(), [...inBlocks.keys()].sort());
  for (const [key, points] of inBlocks) t.deepEqual(exported.get(key), points, key);
  const counts = [...inBlocks.values()].map((points) => points.length);
  const count = counts.reduce((sum, each) => sum + each, 0);
  t.is(count, report.samples);
  t.is(
    metrics.reduce((sum, { points }) => sum + points, 0),
    count,
  );
});

test.serial('nothing is exported unless that was ordered', async (t) => {
  await begin({ rateHz: 100, sandboxes: [] });
  const { metrics, blocks } = await sampler.end([], 0n);
  t.is(metrics.length, 0);
  t.true(blocks.length > 0);
});

test.serial(
  'last readings are the last of their series, also of what was never read',
  async (t) => {
    const sources = ['cgroup-cpu', 'guest-exits'] as const;
    await begin({ rateHz: 200, sources, sandboxes: SANDBOXES, exportAs: {} });
    await delay(60);
    const atMonoNs = process.hrtime.bigint();
    const final = (instance: number, value: number): FinalReading => ({
      ...{ instance, source: 'cgroup-cpu', atMonoNs },
      readings: [{ metric: 'container.cpu.time', value }],
    });
    const neverRead: FinalReading = {
      ...{ instance: 3, source: 'guest-exits', atMonoNs },
      readings: [{ metric: 'lockstep.sandbox.guest.time', value: 7 }],
    };
    const notOrdered: FinalReading = { ...neverRead, source: 'cgroup-memory' };
    // There is no sandbox 9.
    const finals = [final(0, 1e6), final(3, 2e6), neverRead, notOrdered, final(9, 3e6)];
    const { report, blocks, metrics } = await sampler.end(finals, UTC_MINUS_MONO_NS);
    const decoded = decodedBlocks(blocks);
    const points = pointsOfBlocks(decoded);
    const expected = [
      ['container.cpu.time', 0, 4, 1e6],
      ['container.cpu.time', 3, 4, 2e6],
      ['lockstep.sandbox.guest.time', 3, 1, 7],
    ] as const;
    for (const [metric, instance, count, value] of expected) {
      const found = points.get(JSON.stringify([metric, [], instance])) ?? [];
      t.deepEqual(found.at(-1), [atMonoNs + UTC_MINUS_MONO_NS, value], metric);
      t.is(found.length, count, metric);
    }
    t.is(points.size, expected.length);
    const exported = pointsOfMetrics(metrics);
    for (const [key, each] of points) t.deepEqual(exported.get(key), each, key);
    t.deepEqual(
      report.sources.map(({ source, instance, samples }) => [source, instance, samples]),
      [
        ['cgroup-cpu', 0, 4],
        ['guest-exits', 0, 0],
        ['cgroup-cpu', 3, 4],
        ['guest-exits', 3, 1],
      ],
    );
    for (const instants of decoded.flatMap(({ groups }) => groups.map(instantsOf))) {
      t.true(instants.every((each, index) => index === 0 || each > instants[index - 1]!));
    }
  },
);

test.serial('the report tells of every source how it was sampled, or why not', async (t) => {
  await begin({ rateHz: 100, sandboxes: SANDBOXES.slice(0, 1) });
  await delay(500);
  const { report } = await sampler.end([], 0n);
  const found = (name: SourceName): SourceReport =>
    report.sources.find(({ source }) => source === name)!;
  const of = (name: SourceName): object => {
    const report = found(name);
    return { ...report, samples: report.samples > 0 };
  };
  t.deepEqual(of('host-cpu'), { source: 'host-cpu', samples: true, rateHz: 100 });
  const sensor = {
    source: 'energy',
    samples: true,
    rateHz: 25,
    limitedBy: 'the sensor is no faster',
  };
  t.deepEqual(of('energy'), sensor);
  t.deepEqual(of('temperature'), {
    source: 'temperature',
    samples: true,
    rateHz: 10,
    limitedBy: 'a forked program',
  });
  const given = 'it was given up: the fourth reading failed';
  t.deepEqual(of('frequency'), {
    source: 'frequency',
    samples: true,
    rateHz: 100,
    limitedBy: given,
  });
  t.deepEqual(of('host-network'), {
    source: 'host-network',
    samples: false,
    unavailable: 'the socket is closed',
  });
  t.deepEqual(of('throttling'), {
    source: 'throttling',
    ...{ samples: false, unavailable: 'there is no such hardware', remedy: 'buy some' },
  });
  const mistake = 'it could not be opened: a mistake in the collector';
  t.deepEqual(of('host-memory'), { source: 'host-memory', samples: false, unavailable: mistake });
  const nothing = 'there was never anything to read';
  t.deepEqual(of('guest-exits'), {
    source: 'guest-exits',
    instance: 0,
    samples: false,
    unavailable: nothing,
  });
  t.deepEqual(found('cgroup-cpu'), {
    ...{ source: 'cgroup-cpu', instance: 0, samples: 3, rateHz: 100 },
  });
  // Every fourth round that was due, and the last reading of the end.
  const [all, some] = [found('host-cpu').samples, found('energy').samples];
  t.true(some >= 1 && some <= (report.rounds + report.missed) / 4 + 2, `${some} of ${all}`);
  t.true(all > some);
  t.is(report.thinnedBy, 1);
  t.true(report.cpuNs > 0n && report.wallNs > 0n && report.rounds > 1);
});

test.serial('a source that nothing reads is told, and of those ordered only', async (t) => {
  const sources = ['kvm', 'host-cpu'] as const;
  await begin({ rateHz: 100, sources, sandboxes: SANDBOXES });
  const { report } = await sampler.end([], 0n);
  t.deepEqual(
    report.sources.map(({ source, unavailable }) => [source, unavailable]),
    [
      ['host-cpu', undefined],
      ['kvm', 'this release has nothing that reads it'],
    ],
  );
});

test.serial('the end does not wait for the next round, and takes a last reading', async (t) => {
  await begin({ rateHz: 0.01, sources: ['host-cpu'], sandboxes: [] });
  const { report, blocks } = await sampler.end([], 0n);
  const [group] = decodedBlocks(blocks).flatMap(({ groups }) => groups);
  t.deepEqual(group?.series[0]?.values, [1, 2]);
  // The next round was due after 100 s.
  t.true(group!.stepsNs[0]! < 50e9);
  t.is(report.rounds, 1);
});

test.serial('what was given up is forgotten: another trial begins anew', async (t) => {
  await begin({ rateHz: 200, sandboxes: [], exportAs: {} });
  await delay(30);
  await sampler.abandon();
  // Nothing is open, and that is no mistake.
  await sampler.abandon();
  const order = { rateHz: 100, sources: ['host-cpu'], sandboxes: [] } as const;
  await sampler.open({ trial: { ...TRIAL, trialId: 'other' }, ...order });
  // One that never began.
  await sampler.abandon();
  await begin(order, 'next');
  const { report, blocks, metrics } = await sampler.end([], 0n);
  t.is(report.rateHz, 100);
  t.is(metrics.length, 0);
  const [block, ...more] = decodedBlocks(blocks);
  t.is(more.length, 0);
  t.like(block, { trialId: 'next', sequence: 0 });
  t.deepEqual(
    block?.groups.map(({ source }) => source),
    ['host-cpu'],
  );
  t.is(block?.groups[0]?.series[0]?.values[0], 1);
});
