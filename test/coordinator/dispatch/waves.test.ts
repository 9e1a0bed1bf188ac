import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { divideIntoWaves } from '../../../coordinator/dispatch/waves.ts';

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `d${index}`);
}

test('one wave has all devices in their order', (t) => {
  t.deepEqual(divideIntoWaves(['b', 'a', 'c'], 1), [['b', 'a', 'c']]);
});

test('devices that can not be divided equally make waves that differ by one', (t) => {
  t.deepEqual(divideIntoWaves(names(7), 3), [
    ['d0', 'd1'],
    ['d2', 'd3'],
    ['d4', 'd5', 'd6'],
  ]);
});

test('fewer devices than waves make as many waves as devices', (t) => {
  t.deepEqual(divideIntoWaves(['a', 'b'], 20), [['a'], ['b']]);
});

test('every device is in one wave, in order, and no wave is empty or much larger', (t) => {
  fc.assert(
    fc.property(fc.nat(600), fc.integer({ min: 1, max: 100 }), (count, waves) => {
      const devices = names(count);
      const divided = divideIntoWaves(devices, waves);
      assert.deepEqual(divided.flat(), devices);
      assert.equal(divided.length, Math.max(1, Math.min(waves, count)));
      const sizes = divided.map((wave) => wave.length);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, String(sizes));
    }),
  );
  t.pass();
});
