import test from 'ava';
import fc from 'fast-check';
import { displaySeries, ratesOf } from '../../../coordinator/report/series-display.ts';

const at = (...pairs: [sinceRequestMs: number, value: number][]) =>
  pairs.map(([sinceRequestMs, value]) => ({ sinceRequestMs, value }));

test('ratesOf is what a counter grew by per second, with gaps where that is not known', (t) => {
  const points = at([0, 1], [500, 2], [1000, NaN], [1500, 4], [2000, 3], [2000, 5], [3000, 5]);
  t.deepEqual(
    ratesOf(points),
    at([500, 2], [1000, NaN], [1500, NaN], [2000, NaN], [2000, NaN], [3000, 0]),
  );
  t.deepEqual(ratesOf([]), []);
  t.deepEqual(ratesOf(at([0, 1])), []);
});

test('ratesOf gives back the growth of a counter, summed over time', (t) => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.nat({ max: 1_000_000 })), {
    maxLength: 50,
  });
  fc.assert(
    fc.property(steps, (all) => {
      const points = at([0, 0]);
      for (const [afterMs, growth] of all) {
        const last = points.at(-1)!;
        points.push({
          sinceRequestMs: last.sinceRequestMs + afterMs,
          value: last.value + growth,
        });
      }
      const sum = ratesOf(points).reduce(
        (total, { value }, index) => total + (value * all[index]![0]) / 1000,
        0,
      );
      return Math.abs(sum - points.at(-1)!.value) <= 1e-6 * Math.max(1, sum);
    }),
  );
  t.pass();
});

test('displaySeries shows processor time as a share of one processor', (t) => {
  const { unit, points, isRate } = displaySeries({
    source: 'cgroup-cpu',
    metric: 'container.cpu.time',
    unit: 's',
    points: at([0, 1], [100, 1.05]),
  });
  t.true(isRate);
  t.is(unit, '% of one processor');
  t.true(Math.abs(points[0]!.value - 50) < 1e-9);
});

test('displaySeries names a series by its metric, attributes and sandbox', (t) => {
  const { title } = displaySeries({
    source: 'host-disk',
    metric: 'system.disk.io',
    attributes: { 'system.device': 'sda', 'disk.io.direction': 'read' },
    unit: 'By',
    instance: 'sandbox 1',
    points: [],
  });
  t.is(title, 'system.disk.io direction=read device=sda sandbox 1');
});

test('displaySeries has units that people know', (t) => {
  const shown = (metric: string, unit: string, value: number): [string, number] => {
    const one = displaySeries({ source: 's', metric, unit, points: at([0, 0], [1000, value]) });
    return [one.unit, one.points.at(-1)!.value];
  };
  t.deepEqual(shown('container.memory.usage', 'By', 3 * 2 ** 20), ['MiB', 3]);
  t.deepEqual(shown('container.disk.io', 'By', 3 * 2 ** 20), ['MiB/s', 3]);
  t.deepEqual(shown('system.cpu.frequency', 'Hz', 1.5e9), ['MHz', 1500]);
  t.deepEqual(shown('hw.temperature', 'Cel', 61), ['°C', 61]);
  t.deepEqual(shown('lockstep.sandbox.pressure.time', 's', 0.25), ['% of the time', 25]);
  t.deepEqual(shown('hw.energy', 'J', 4), ['W', 4]);
  t.deepEqual(shown('lockstep.sandbox.tasks', '{task}', 4), ['task', 4]);
  t.deepEqual(shown('lockstep.firecracker.count', '{event}', 9), ['event/s', 9]);
  t.deepEqual(shown('unknown', 'furlong', 9), ['furlong', 9]);
  t.deepEqual(shown('toString', 'By', 9), ['By', 9]);
});
