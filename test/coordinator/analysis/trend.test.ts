import test from 'ava';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { Trend } from '../../../coordinator/analysis/trend.ts';
import { makeRun } from '../../support/run-fixture.ts';

const OPTIONS = { margin: 0.05, seed: 1 };
const DAY_MS = 86_400_000;

/** Follows runs, one a day, whose times are those of the fixture by a factor. */
function follow(factors: readonly number[], hosts: number, cellId?: string) {
  const trend = new Trend(OPTIONS);
  for (const [day, factor] of factors.entries()) {
    const made = makeRun({
      repetitions: 20,
      agentsPerHost: Array.from({ length: hosts }, () => 1),
      sandboxes: ['process'],
      seed: day + 1,
    });
    const summary = summarise(made.run, made.plan, made.results);
    const cells = summary.cells.map((cell) => ({
      ...cell,
      ...(cell.latency === undefined
        ? {}
        : { latency: { ...cell.latency, medianNs: cell.latency.medianNs * factor } }),
      units: cell.units.map((unit) => ({ ...unit, valueNs: unit.valueNs * factor })),
    }));
    const run = {
      ...made.run,
      runId: `run-${day}`,
      startedAtUtcMs: made.run.startedAtUtcMs! + day * DAY_MS,
    };
    trend.add(run, { ...summary, cells }, cellId);
  }
  return trend.cells;
}

test('Trend sees a step at the run where it was, and the change since the first', (t) => {
  const [cell] = follow([1, 1, 1, 1.6, 1.6, 1.6], 1, 'process/hello-go/1');
  const verdicts = cell?.points.map(({ fromPrevious }) => fromPrevious?.verdict);
  t.is(verdicts?.[0], undefined);
  t.is(verdicts?.[3], 'slower');
  t.false([1, 2, 4, 5].some((place) => verdicts?.[place] === 'slower'));
  t.is(cell?.points.at(-1)?.fromFirst?.verdict, 'slower');
  t.is(cell?.points.at(-1)?.fromFirst?.runId, 'run-0');
  t.is(cell?.points.at(-1)?.fromPrevious?.runId, 'run-4');
});

test('Trend has a slope per day with an interval', (t) => {
  const [cell] = follow([1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6], 1);
  const { slope = 0, interval } = cell?.slopeNsPerDay ?? {};
  const first = cell?.points[0]?.medianNs ?? 0;
  t.true(Math.abs(slope / first - 0.1) < 0.03, String(slope / first));
  t.true((interval?.lower ?? 0) > 0);
  t.is(follow([1, 1], 1)[0]?.slopeNsPerDay?.interval, undefined);
});

test('Trend pools runs as sessions of their hosts, or of the one host', (t) => {
  const [alone] = follow([1, 1, 1, 1], 1);
  t.is(alone?.pooled?.basis, 'runs');
  t.is(alone?.pooled?.units, 4);
  t.regex(alone?.pooled?.caution ?? '', /one host/);
  const [fleet] = follow([1, 1, 1, 1], 6);
  t.is(fleet?.pooled?.basis, 'hosts');
  t.is(fleet?.pooled?.units, 6);
  t.is(fleet?.pooled?.caution, undefined);
  t.true(fleet!.pooled!.interval!.lower < fleet!.pooled!.estimateNs);
});

test('Trend follows all cells or the one that is asked for', (t) => {
  t.deepEqual(
    follow([1, 1], 1).map(({ cellId }) => cellId),
    ['process/hello-go/1', 'process/hello-node/1'],
  );
  t.is(follow([1, 1], 1, 'process/hello-node/1').length, 1);
  t.is(follow([1, 1], 1, 'runc/none/1').length, 0);
});
