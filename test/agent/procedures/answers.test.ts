import test from 'ava';
import { fibonacci } from '../../../agent/procedures/answers.ts';
import { slopeOf } from '../../../agent/procedures/least-squares.ts';
import { parseKib, readPssBytes } from '../../../agent/procedures/memory-readings.ts';

/** By n-1 additions, as the functions do it. */
function fibonacciByAddition(n: number): bigint {
  let [before, value] = [0n, 1n];
  for (let step = 1; step < n; step += 1) {
    [before, value] = [value, BigInt.asUintN(64, before + value)];
  }
  return value;
}

test('fibonacci is what additions modulo 2^64 give', (t) => {
  for (const n of [1, 2, 3, 10, 93, 94, 95, 96, 1000, 12_345]) {
    t.is(fibonacci(n), fibonacciByAddition(n), `n = ${n}`);
  }
});

test('slopeOf finds the slope of a line with any intercept', (t) => {
  const line = [1, 2, 5, 9].map((x) => ({ x, y: 7 + 3 * x }));
  t.true(Math.abs((slopeOf(line) ?? 0) - 3) < 1e-12);
  // Least squares: the middle point is off by 3, which moves nothing.
  const points = [
    { x: 0, y: 0 },
    { x: 1, y: 4 },
    { x: 2, y: 2 },
  ];
  t.is(slopeOf(points), 1);
});

test('slopeOf has no slope for one place', (t) => {
  t.is(slopeOf([]), undefined);
  t.is(slopeOf([{ x: 1, y: 2 }]), undefined);
  t.is(slopeOf([1, 2].map((y) => ({ x: 1, y }))), undefined);
});

test('parseKib reads a line as bytes and throws without it', (t) => {
  t.is(parseKib('Rss:  8 kB\nPss:   123 kB\nPss_Dirty: 5 kB\n', 'Pss'), 123 * 1024);
  t.throws(() => parseKib('Rss: 8 kB\n', 'Pss'), { message: /no line of Pss/ });
});

test('readPssBytes counts living processes, and nothing for those that ended', async (t) => {
  const own = await readPssBytes([process.pid]);
  t.true(own > 1024 * 1024);
  // Beyond the greatest id that Linux gives.
  t.is(await readPssBytes([2 ** 22 + 1]), 0);
});
