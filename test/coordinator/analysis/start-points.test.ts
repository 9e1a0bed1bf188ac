import test from 'ava';
import { START_POINTS_MAX, StartPoints } from '../../../coordinator/analysis/start-points.ts';
import type { StartPoint } from '../../../coordinator/analysis/run-summary.ts';

function point(trial: number, deviceId: string, latenessNs: number): StartPoint {
  return { trialId: `t${trial}`, attempt: 1, position: trial, deviceId, wave: 0, latenessNs };
}

function chosen(trials: number, devices: number): StartPoint[] {
  const points = new StartPoints(trials, devices);
  for (let trial = 0; trial < trials; trial += 1) {
    // One start in 1000 is far off, each time of another device.
    points.add(
      Array.from({ length: devices }, (_, device) =>
        point(trial, `d${device}`, (trial * devices + device) % 1000 === 7 ? -5000 : trial % 10),
      ),
    );
  }
  return points.chosen();
}

test('StartPoints keeps every start of a run of usual size', (t) => {
  t.is(chosen(500, 10).length, 5000);
});

test('StartPoints keeps no more than its bound of a large run, and the worst among them', (t) => {
  const kept = chosen(30_000, 7);
  t.true(kept.length <= START_POINTS_MAX);
  t.true(kept.length > START_POINTS_MAX / 3);
  const isWorst = ({ latenessNs }: StartPoint): boolean => latenessNs === -5000;
  t.is(kept.filter(isWorst).length, 210, 'each lies in a stretch of its own');
  const positions = kept.map(({ position }) => position ?? 0);
  t.true(positions.every((position, index) => position >= (positions[index - 7] ?? 0)));
});

test('StartPoints has points of every device, and none of a run without starts', (t) => {
  t.is(new Set(chosen(50_000, 3).map(({ deviceId }) => deviceId)).size, 3);
  t.deepEqual(new StartPoints(10, 3).chosen(), []);
});
