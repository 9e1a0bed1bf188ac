import test from 'ava';
import { MemoryTally } from '../../../coordinator/analysis/memory-slope.ts';
import type { MemorySlope } from '../../../coordinator/analysis/run-summary.ts';
import type { TrialResult } from '../../../schemas/result.ts';

type Point = readonly [instances: number, bytes: number];

function resultOf([instances, bytes]: Point, sandbox = 'osv'): TrialResult {
  return {
    protocol: 1,
    runId: 'run',
    trialId: `t${instances}`,
    attempt: 1,
    deviceId: 'imported',
    cell: { id: `${sandbox}/hello-go/${instances}`, sandbox, function: 'hello-go', instances },
    reportedBy: 'import',
    status: 'ok',
    invalid: [],
    barriers: [],
    instances: [],
    hostMemoryDropBytes: bytes,
    sandboxDetails: {},
  };
}

function slopesOf(results: readonly TrialResult[]): readonly MemorySlope[] {
  const tally = new MemoryTally();
  tally.add(results);
  return tally.summary().memory ?? [];
}

test('memory that grows by one step per sandbox has that slope, whatever it begins with', (t) => {
  const [slope] = slopesOf([10, 20, 30, 40, 50].map((x) => resultOf([x, 700 + 32 * x])));
  t.is(slope?.leastSquaresBytes, 32);
  t.is(slope?.theilSenBytes, 32);
  t.deepEqual(slope?.theilSenInterval, { lower: 32, upper: 32, coverage: 0.95 });
  t.deepEqual(slope?.instances, [10, 50]);
});

test('one reading that is far off moves least squares, and not Theil and Sen', (t) => {
  const points: Point[] = [1, 2, 3, 4, 5, 6, 7].map((x) => [x, x === 7 ? 170 : 10 * x]);
  const [slope] = slopesOf(points.map((point) => resultOf(point)));
  // By hand: the sum of (x - 4)(y - mean y) is 580, that of (x - 4)^2 is 28.
  t.is(slope?.leastSquaresBytes, 580 / 28);
  t.is(slope?.theilSenBytes, 10);
});

test('series are kept apart, and what failed or is marked is left out', (t) => {
  const results = [1, 2, 3, 4, 5].flatMap((x) => [
    resultOf([x, 5 * x], 'osv'),
    resultOf([x, 9 * x], 'linux'),
  ]);
  const bad = resultOf([6, 10_000]);
  const slopes = slopesOf([
    ...results,
    { ...bad, status: 'failed' },
    { ...bad, invalid: [{ code: 'duplicated-row', message: 'row 7' }] },
  ]);
  t.deepEqual(
    slopes.map(({ sandbox, n, leastSquaresBytes }) => [sandbox, n, leastSquaresBytes]),
    [
      ['osv', 5, 5],
      ['linux', 5, 9],
    ],
  );
});

test('results without memory, or with one number of sandboxes, give no slope', (t) => {
  const without = resultOf([1, 1]);
  delete without.hostMemoryDropBytes;
  t.deepEqual(new MemoryTally().summary(), {});
  t.deepEqual(slopesOf([without]), []);
  t.deepEqual(slopesOf([resultOf([4, 1]), resultOf([4, 2])]), []);
});
