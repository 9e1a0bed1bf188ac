import test from 'ava';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { tellingTrials } from '../../../coordinator/analysis/telling-trials.ts';
import { makeRun } from '../../support/run-fixture.ts';

test('tellingTrials names the trial nearest the median and the slowest one of each cell', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 9, agentsPerHost: [1, 1] });
  const { cells } = summarise(run, plan, results);
  const telling = tellingTrials(cells);
  t.is(telling.length, 2 * cells.length);
  for (const { cell, units, latency } of cells) {
    const [median, worst] = telling.filter(({ cellId }) => cellId === cell.id);
    const valueOf = (wanted: typeof median): number =>
      units.find(({ trialId, host }) => trialId === wanted?.trialId && host === wanted.host)!
        .valueNs;
    t.is(median?.role, 'median');
    t.is(worst?.role, 'worst');
    t.is(valueOf(worst), latency!.maxNs);
    const distances = units.map(({ valueNs }) => Math.abs(valueNs - latency!.medianNs));
    t.is(Math.abs(valueOf(median) - latency!.medianNs), Math.min(...distances));
  }
});

test('tellingTrials names a cell of one trial once, and an empty one not at all', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 1, agentsPerHost: [1] });
  const { cells } = summarise(run, plan, results.slice(0, 1));
  t.deepEqual(
    tellingTrials(cells).map(({ role }) => role),
    ['median'],
  );
});
