import test from 'ava';
import { FastRandom } from '../../../coordinator/analysis/statistics/fast-random.ts';
import { encodeBlocks } from '../../../agent/sampler/sample-blocks.ts';
import type { SampleColumns } from '../../../agent/sampler/sample-columns.ts';
import { BLOCK_ROUNDS_MAX } from '../../../schemas/telemetry.ts';
import { decodedBlocks, instantsOf } from './decoded-samples.ts';

const TRIAL = { runId: 'r', trialId: 't', attempt: 1, deviceId: 'd' };

/** What a message of NATS may take unless its server says otherwise. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

/** Columns of numbers that can't be compressed well. */
function noise(series: number, rows: number, seed: number): SampleColumns {
  const random = new FastRandom(seed);
  return {
    source: 'host-disk',
    monoNs: BigInt64Array.from({ length: rows }, (_, row) => BigInt(row) * 1_000_003n + 5n),
    series: Array.from({ length: series }, (_, place) => ({
      metric: 'system.disk.io',
      attributes: { 'system.device.name': `d${place}` },
      values: Float64Array.from({ length: rows }, () => -random.next() * 1e-90),
    })),
  };
}

function encode(columns: readonly SampleColumns[], firstSequence = 0): Uint8Array[] {
  return [...encodeBlocks(columns, { trial: TRIAL, utcMinusMonoNs: -12n, firstSequence })];
}

test('blocks fit a message whatever they hold, and give every value back', (t) => {
  const all = [noise(40, 9000, 1), noise(4096, 3, 2), noise(1, 20_000, 3)];
  const encoded = encode(all, 17);
  t.true(encoded.length > 2);
  t.true(encoded.every((bytes) => bytes.length < MESSAGE_BYTES_MAX));
  const blocks = decodedBlocks(encoded);
  t.deepEqual(
    blocks.map(({ sequence }) => sequence),
    [...blocks.keys()].map((index) => index + 17),
  );
  const groups = blocks.flatMap((block) => block.groups);
  t.true(groups.every(({ stepsNs }) => stepsNs.length < BLOCK_ROUNDS_MAX));
  for (const columns of all) {
    const ofThese = groups.filter(({ series }) => series.length === columns.series.length);
    t.deepEqual(ofThese.flatMap(instantsOf), [...columns.monoNs]);
    for (const place of [0, columns.series.length - 1]) {
      const values = ofThese.flatMap(({ series }) => series[place]!.values);
      t.deepEqual(values, [...columns.series[place]!.values]);
    }
  }
});

test('more groups than a block may have make another block', (t) => {
  const all = Array.from({ length: 4097 }, (_, instance) => ({
    ...noise(1, 1, instance),
    instance: instance % 4096,
  }));
  t.deepEqual(
    decodedBlocks(encode(all)).map(({ groups }) => groups.length),
    [4096, 1],
  );
});

test('what is not there is null, and nothing makes no block', (t) => {
  const columns = noise(2, 3, 1);
  columns.series[1]!.values[1] = Number.NaN;
  const [block] = decodedBlocks(encode([columns]));
  t.is(block?.groups[0]?.series[1]?.values[1], null);
  t.is(block?.utcMinusMonoNs, -12n);
  t.deepEqual(encode([]), []);
});
