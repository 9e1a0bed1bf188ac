import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import {
  StatsResults,
  StatsSchemas,
  planStats,
  readingsOfStats,
} from '../../../agent/collectors/kvm-stats-schema.ts';

// What a QEMU 7.2.22 answered, with a boot sector as guest, under kvm_pvm of Linux 6.18.
const CAPTURED = join(import.meta.dirname, '..', '..', 'fixtures', 'collectors', 'qemu-7.2.22');

function captured(name: string): unknown {
  return JSON.parse(readFileSync(join(CAPTURED, `${name}.json`), 'utf8'));
}

const schemas = StatsSchemas.parse(captured('query-stats-schemas'));

test('planStats knows all that a real QEMU tells of guest and vCPUs', (t) => {
  t.is(planStats(schemas, 'vm').size, 16);
  t.is(planStats(schemas, 'vcpu').size, 47);
  t.is(planStats(schemas, 'cryptodev').size, 0);
});

test('readingsOfStats gives counts, times in seconds, levels and buckets of a real vCPU', (t) => {
  const [second] = StatsResults.parse(captured('query-stats-vcpu'));
  const readings = readingsOfStats(second!.stats, planStats(schemas, 'vcpu'), 'vcpu-1');
  const of = (stat: string) =>
    readings
      .filter(({ attributes }) => attributes?.['lockstep.stat'] === stat)
      .map(({ metric, value }) => [metric, value]);
  t.deepEqual(of('insn_emulation'), [['lockstep.kvm.count', 930]]);
  t.deepEqual(of('halt_wait_ns'), [['lockstep.kvm.time', 2.40274829]]);
  t.deepEqual(of('blocking'), [['lockstep.kvm.level', 0]]);
  t.deepEqual(of('halt_wait_hist[0]'), [['lockstep.kvm.count', 2]]);
  t.deepEqual(of('halt_wait_hist[1]'), []);
  // A series for each statistic that is no histogram, and one for the bucket with something in it.
  t.is(readings.length, 47 - 3 + 1);
  t.true(readings.every(({ attributes }) => attributes?.['lockstep.thread'] === 'vcpu-1'));
});

test('readingsOfStats gives the whole guest no thread', (t) => {
  const [vm] = StatsResults.parse(captured('query-stats-vm'));
  const readings = readingsOfStats(vm!.stats, planStats(schemas, 'vm'));
  t.deepEqual(
    readings.find(({ attributes }) => attributes?.['lockstep.stat'] === 'mmu_cache_miss'),
    {
      metric: 'lockstep.kvm.count',
      attributes: { 'lockstep.stat': 'mmu_cache_miss' },
      value: 20,
    },
  );
  t.deepEqual(
    readings
      .filter(({ metric }) => metric === 'lockstep.kvm.level')
      .map(({ attributes }) => attributes?.['lockstep.stat']),
    [
      'max_mmu_page_hash_collisions',
      'max_mmu_rmap_size',
      'nx_lpage_splits',
      'pages_1g',
      'pages_2m',
      'pages_4k',
      'mmu_unsync',
    ],
  );
});

// Composed after QEMU's qapi/stats.json.
test('planStats honours base and exponent and leaves out what it does not know', (t) => {
  const stats = [
    { name: 'kib', type: 'cumulative', unit: 'bytes', base: 2, exponent: 10 },
    { name: 'us', type: 'instant', unit: 'seconds', base: 10, exponent: -6 },
    { name: 'plain', type: 'peak', exponent: 0 },
    { name: 'sizes', type: 'linear-histogram', unit: 'bytes', exponent: 0, 'bucket-size': 4 },
    { name: 'novel', type: 'of-the-future', exponent: 0 },
  ];
  const plans = planStats(
    StatsSchemas.parse([
      { provider: 'kvm', target: 'vm', stats },
      { provider: 'other', target: 'vm', stats: [{ name: 'x', type: 'peak', exponent: 0 }] },
    ]),
    'vm',
  );
  const readings = readingsOfStats(
    [
      { name: 'kib', value: 3 },
      { name: 'us', value: 5 },
      { name: 'plain', value: true },
      { name: 'sizes', value: [0, 7] },
      { name: 'novel', value: 1 },
      { name: 'x', value: 1 },
      // Of another kind than the schema says.
      { name: 'kib', value: [1] },
      { name: 'sizes', value: 1 },
    ],
    plans,
  );
  t.deepEqual(
    readings.map(({ metric, attributes, value }) => [metric, attributes?.['lockstep.stat'], value]),
    [
      ['lockstep.kvm.count', 'kib', 3072],
      ['lockstep.kvm.level', 'us', 5e-6],
      ['lockstep.kvm.level', 'plain', 1],
      ['lockstep.kvm.count', 'sizes[1]', 7],
    ],
  );
});

test('StatsSchemas and StatsResults have bounds', (t) => {
  const stat = { name: 'x', type: 'peak', exponent: 0 };
  const many = Array.from({ length: 1025 }, () => stat);
  t.false(StatsSchemas.safeParse([{ provider: 'kvm', target: 'vm', stats: many }]).success);
  t.false(
    StatsSchemas.safeParse([{ provider: 'kvm', target: 'vm', stats: [{ ...stat, exponent: 400 }] }])
      .success,
  );
  t.false(
    StatsResults.safeParse([{ provider: 'kvm', stats: [{ name: 'x', value: 'text' }] }]).success,
  );
});
