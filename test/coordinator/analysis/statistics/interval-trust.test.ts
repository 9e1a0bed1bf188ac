/** The rules by which intervals are shown against the table of coverages that they come from. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { BOOTSTRAP_VALUES_MIN } from '../../../../coordinator/analysis/statistics/bootstrap.ts';
import {
  HOSTS_FOR_BIAS,
  HOSTS_UNFLAGGED_MIN,
  VALUES_UNFLAGGED_MIN,
  hostsCaution,
} from '../../../../coordinator/analysis/statistics/interval-trust.ts';
import { CHECKOUT } from '../../../support/nats-server.ts';

/** Least coverage with which an interval is shown without a word, percent. */
const SHOWN_MIN = 92;

interface Row {
  readonly interval: string;
  readonly devices: number;
  readonly n: number;
  /** The least over the distributions. NaN if refused for one. */
  readonly least: number;
}

const ROWS = readFileSync(join(CHECKOUT, 'docs/statistics.md'), 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((text) => text.replaceAll('*', '').trim()))
  .filter((texts) => texts.length === 11 && /^\d+$/.test(texts[2] ?? ''))
  .map(([, interval = '', devices, n, one, , two, , three]): Row => {
    const least = Math.min(...[one, two, three].map(Number));
    return { interval, devices: Number(devices), n: Number(n), least };
  });

function rowsOf(interval: string): Row[] {
  return ROWS.filter((row) => row.interval === interval);
}

test('the table has every interval that is shown', (t) => {
  for (const name of ['median, order statistics', 'ratio, trials', 'ratio, paired hosts']) {
    t.true(rowsOf(name).length > 4, name);
  }
  t.true(ROWS.length > 80);
});

test('order-statistic intervals hold in 94 % or more, wherever they are given', (t) => {
  for (const { interval, n, least } of ROWS) {
    if (interval.endsWith('order statistics')) t.false(least < 94, `${interval} ${n}: ${least}`);
  }
});

test('ratios hold wherever they are given', (t) => {
  const rows = ROWS.filter(({ interval }) => interval.startsWith('ratio'));
  t.is(Math.min(...rowsOf('ratio, trials').map(({ n }) => n)), BOOTSTRAP_VALUES_MIN);
  for (const { interval, devices, n, least } of rows) {
    t.true(least >= SHOWN_MIN, `${interval} ${devices} ${n}: ${least}`);
  }
});

test('intervals over hosts that are shown without a word hold', (t) => {
  const rows = ROWS.filter(({ interval }) => /^hosts.*Student$/.test(interval));
  t.true(rows.length > 20);
  for (const { interval, devices, n, least } of rows) {
    if (hostsCaution(devices, n) !== undefined) continue;
    t.true(least >= SHOWN_MIN, `${interval} ${devices} ${n}: ${least}`);
  }
});

test('the limits of what is flagged are not higher than the table asks for', (t) => {
  const kinds = rowsOf('hosts of two kinds, Student');
  t.true(
    kinds.some(({ devices, least }) => devices === HOSTS_UNFLAGGED_MIN - 1 && least < SHOWN_MIN),
  );
  const lean = rowsOf('hosts with sessions, Student').filter(({ n }) => n < VALUES_UNFLAGGED_MIN);
  t.true(lean.some(({ devices, least }) => devices === HOSTS_FOR_BIAS && least < SHOWN_MIN));
});
