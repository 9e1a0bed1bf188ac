import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { quantileInterval } from '../../../coordinator/analysis/statistics/quantile-interval.ts';
import { coverageAtLooks } from '../../../coordinator/analysis/statistics/sequential.ts';
import {
  expectedEnd,
  lookAt,
  stopRuleOf,
  valuesNeeded,
} from '../../../coordinator/planning/stop-rule.ts';
import type { StopRule } from '../../../coordinator/planning/stop-rule.ts';
import { Look } from '../../../schemas/look.ts';

const RULE = ruleWith({});

function ruleWith(changes: Partial<{ of: 'median' | 'p95'; halfWidthPercent: number }>): StopRule {
  const until = { of: 'median' as const, halfWidthPercent: 5, looks: [10, 20, 40], ...changes };
  return stopRuleOf({ repetitions: 80, until })!;
}

/** Values whose median is 100 and whose quantiles lie evenly from 100 - reach to 100 + reach. */
const even = (count: number, reach: number): number[] =>
  Array.from({ length: count }, (_, index) => 100 + reach * ((2 * index) / (count - 1) - 1));

test('stopRuleOf has no rule where the length does not depend on values', (t) => {
  t.is(stopRuleOf({ repetitions: 80 }), undefined);
  t.is(stopRuleOf({ repetitions: 80, until: { of: 'median', timeLimitMinutes: 5 } }), undefined);
});

test('stopRuleOf corrects the coverage for the looks of the file and the maximum', (t) => {
  t.deepEqual(RULE.looks, [10, 20, 40, 80]);
  t.is(RULE.coverage, coverageAtLooks([10, 20, 40, 80]));
  t.is(ruleWith({ of: 'p95' }).probability, 0.95);
});

test('lookAt decides at its looks and nowhere else', (t) => {
  const cells = new Map([['a', even(20, 1)]]);
  t.is(lookAt(RULE, 19, cells), undefined);
  t.is(lookAt(RULE, 20, cells)?.look, 2);
  t.is(lookAt(RULE, 21, cells), undefined);
});

test('lookAt stops only when every cell is precise enough', (t) => {
  const narrow = even(20, 5);
  const both = lookAt(
    RULE,
    20,
    new Map([
      ['a', narrow],
      ['b', narrow],
    ]),
  );
  t.is(both?.decision, 'stop');
  const one = lookAt(
    RULE,
    20,
    new Map([
      ['a', narrow],
      ['b', even(20, 90)],
    ]),
  );
  t.is(one?.decision, 'go-on');
  t.deepEqual(
    one?.cells.map(({ isPrecise }) => isPrecise),
    [true, false],
  );
});

test('lookAt gives the half width by order statistics at the corrected coverage', (t) => {
  // Of 20 values, 98.4 % need the ranks 5 and 16: P(B < 5) = 0.0059, P(B < 6) = 0.0207.
  const values = even(20, 38);
  const [cell] = lookAt(RULE, 20, new Map([['a', values]]))?.cells ?? [];
  t.true(Math.abs((cell?.halfWidthPercent ?? 0) - (values[15]! - values[4]!) / 2) < 1e-9);
});

test('a cell without enough valid values is not precise, however alike they are', (t) => {
  const few = lookAt(RULE, 10, new Map([['a', [100, 100, 100, 100, 100, 100]]]));
  t.deepEqual(few?.cells, [{ cellId: 'a', n: 6, estimateNs: 100, isPrecise: false }]);
  const none = lookAt(RULE, 10, new Map([['a', []]]));
  t.deepEqual(none?.cells, [{ cellId: 'a', n: 0, isPrecise: false }]);
  t.is(none?.decision, 'go-on');
});

test('a cell that is not above 0 has no relative precision', (t) => {
  const values = Array.from({ length: 20 }, (_, index) => index - 100);
  const [cell] = lookAt(RULE, 20, new Map([['a', values]]))?.cells ?? [];
  t.false(cell?.isPrecise);
  t.is(cell?.halfWidthPercent, undefined);
});

test('lookAt stops at its last look, precise or not', (t) => {
  const last = lookAt(RULE, 80, new Map([['a', even(80, 90)]]));
  t.is(last?.decision, 'stop');
  t.false(last?.cells[0]?.isPrecise);
});

test('repetitions needed grow with the square of the width', (t) => {
  const [cell] = lookAt(RULE, 20, new Map([['a', even(20, 90)]]))?.cells ?? [];
  t.is(cell?.repetitionsNeeded, Math.ceil(20 * ((cell?.halfWidthPercent ?? 0) / 5) ** 2));
});

test('a look of the 95th percentile needs many values', (t) => {
  const rule = ruleWith({ of: 'p95', halfWidthPercent: 50 });
  const seen = lookAt(
    rule,
    40,
    new Map([
      ['one host', even(40, 1)],
      ['four', even(160, 1)],
    ]),
  );
  t.deepEqual(
    seen?.cells.map(({ isPrecise }) => isPrecise),
    [false, true],
  );
});

test('valuesNeeded is the fewest values that have an interval', (t) => {
  for (const rule of [RULE, ruleWith({ of: 'p95' })]) {
    const needed = valuesNeeded(rule);
    const has = (size: number): boolean =>
      quantileInterval(even(size, 1), rule.probability, rule.coverage) !== undefined;
    t.true(has(needed) && !has(needed - 1), `${needed}`);
  }
});

test('expectedEnd is the first look with what the slowest cell needs', (t) => {
  const cell = { cellId: 'a', n: 20, isPrecise: false };
  const look = { look: 2, looks: 4, repetitions: 20, decision: 'go-on' as const };
  const end = (needed: number | undefined): number =>
    expectedEnd(RULE, {
      ...look,
      cells: [
        { ...cell, isPrecise: true },
        { ...cell, ...(needed === undefined ? {} : { repetitionsNeeded: needed }) },
      ],
    });
  t.is(end(35), 40);
  t.is(end(41), 80);
  t.is(end(4000), 80);
  t.is(end(undefined), 80);
});

test('whatever the values, a look fits the ledger, and a stop before the end is earned', (t) => {
  const values = fc.array(fc.double({ min: 1, max: 1e9, noNaN: true }), { maxLength: 60 });
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ minLength: 1, maxLength: 9 }), values, { minKeys: 1, maxKeys: 5 }),
      fc.constantFrom(10, 20, 40, 80),
      (cells, repetitions) => {
        const look = lookAt(RULE, repetitions, new Map(Object.entries(cells)));
        assert.ok(look !== undefined && Look.safeParse(look).success);
        if (look.decision === 'go-on' || repetitions === 80) return;
        for (const { halfWidthPercent, n } of look.cells) {
          assert.ok((halfWidthPercent ?? 99) <= 5 && n >= 7);
        }
      },
    ),
  );
  t.pass();
});
