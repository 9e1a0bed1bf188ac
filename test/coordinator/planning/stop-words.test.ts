import test from 'ava';
import { stopRuleOf } from '../../../coordinator/planning/stop-rule.ts';
import {
  hopelessText,
  lookLine,
  percentText,
  stoppedAtLookText,
  stoppedByTimeText,
} from '../../../coordinator/planning/stop-words.ts';
import type { CellPrecision, Look } from '../../../schemas/look.ts';

const RULE = stopRuleOf({
  repetitions: 80,
  until: { of: 'median', halfWidthPercent: 5, looks: [10, 20, 40] },
})!;
const wide: CellPrecision = {
  cellId: 'runc/go/1',
  n: 20,
  estimateNs: 4e7,
  halfWidthPercent: 7.123,
  isPrecise: false,
  repetitionsNeeded: 41,
};
const fine: CellPrecision = { ...wide, cellId: 'process/go/1', isPrecise: true };
const few: CellPrecision = { cellId: 'gvisor/go/1', n: 3, estimateNs: 5, isPrecise: false };

const look = (...cells: CellPrecision[]): Look => ({
  look: 2,
  looks: 4,
  repetitions: 20,
  cells,
  decision: 'go-on',
});

test('lookLine names the place, the cell that is furthest off, and what is wanted', (t) => {
  t.is(
    lookLine(look(fine, wide), RULE),
    'look 2 of 4 at 20 repetitions: runc/go/1 is at ±7.12 %, wanted ±5 %',
  );
  t.is(
    lookLine(look(wide, few), RULE),
    'look 2 of 4 at 20 repetitions: gvisor/go/1 has too few valid values for an interval (3) ' +
      '(the worst of 2 cells), wanted ±5 %',
  );
  t.is(
    lookLine(look(fine), RULE),
    'look 2 of 4 at 20 repetitions: every cell is precise enough, wanted ±5 %',
  );
});

test('hopelessText says that a run will have too few values, and nothing otherwise', (t) => {
  t.is(hopelessText(RULE, 7), undefined);
  t.is(
    hopelessText(RULE, 6),
    'an interval of the median needs 7 values of each cell, and this run has 6 at most: no look ' +
      'can find it precise',
  );
});

test('stoppedAtLookText says that every cell is precise enough, or which is not', (t) => {
  t.is(
    stoppedAtLookText(look(fine), RULE),
    'Stopped at look 2 of 4, after 20 repetitions: the median of every cell is known to ±5 %.',
  );
  t.is(
    stoppedAtLookText(look(fine, wide), RULE),
    'All 20 repetitions are done without the precision wanted (±5 % of the median): runc/go/1 is ' +
      'at ±7.12 %, needs about 41 repetitions.',
  );
});

test('stoppedByTimeText says how far the run came', (t) => {
  const done = { limitMinutes: 30, repetitions: 14, maximum: 80 };
  const what = 'The time limit of 30 minutes was over after 14 of 80 repetitions';
  t.is(stoppedByTimeText(done, [], undefined), `${what}.`);
  t.is(stoppedByTimeText(done, [fine], RULE), `${what}; every cell is precise enough.`);
  t.true(stoppedByTimeText(done, [wide], RULE).startsWith(`${what}, without the precision wanted`));
});

test('the words for a thousand cells that are not precise stay short', (t) => {
  const cells = Array.from({ length: 1000 }, (_, index) => ({
    ...wide,
    cellId: `${'x'.repeat(190)}/${index}`,
  }));
  const text = stoppedAtLookText(look(...cells), RULE);
  t.true(text.length < 2048, `${text.length}`);
  t.regex(text, /; and 996 more\.$/);
});

test('percentText has three digits at most', (t) => {
  t.deepEqual([5, 7.123, 0.0512, 0.5, 145.04].map(percentText), [
    ...['5 %', '7.12 %', '0.051 %', '0.5 %', '145 %'],
  ]);
});
