import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'ava';
import fc from 'fast-check';
import { parseEpochRealtime } from '../../../agent/sandboxes/gate.ts';

test('parseEpochRealtime reads what bash prints, in any locale', (t) => {
  t.is(parseEpochRealtime('1795424400.000001\n'), 1_795_424_400_000_001_000n);
  t.is(parseEpochRealtime('1795424400,250000\n'), 1_795_424_400_250_000_000n);
});

test('parseEpochRealtime keeps every digit', (t) => {
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 11n), fc.integer({ min: 0, max: 999_999 }), (s, us) => {
      const text = `${s}.${String(us).padStart(6, '0')}\n`;
      assert.equal(parseEpochRealtime(text), s * 1_000_000_000n + BigInt(us) * 1000n);
    }),
  );
  t.pass();
});

test('parseEpochRealtime finds nothing in what other shells print', (t) => {
  for (const text of ['', '\n', 'waiting\n', '1795424400\n', '1795424400.25\n', '-1.000000\n']) {
    t.is(parseEpochRealtime(text), undefined, JSON.stringify(text));
  }
  t.is(parseEpochRealtime('1795424400.000001\n1795424400.000002\n'), undefined);
});

test('parseEpochRealtime reads the bash of this machine, between two looks at the clock', (t) => {
  const beforeMs = Date.now();
  const { stdout, status } = spawnSync('/bin/bash', ['-c', 'echo "$EPOCHREALTIME"']);
  if (status !== 0) {
    t.log('left out: there is no bash');
    t.pass();
    return;
  }
  const atMs = Number(parseEpochRealtime(stdout.toString('latin1')) ?? 0n) / 1e6;
  t.true(atMs >= beforeMs && atMs <= Date.now() + 1, String(atMs));
});
