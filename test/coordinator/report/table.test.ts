import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { renderTable } from '../../../coordinator/report/table.ts';
import type { RunSummary } from '../../../coordinator/analysis/run-summary.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixtureOptions } from '../../support/run-fixture.ts';

function summaryOf(options: RunFixtureOptions = {}): RunSummary {
  const { run, plan, results } = makeRun(options);
  return summarise(run, plan, results);
}

const MIXED: RunFixtureOptions = { failureRate: 0.05, invalidRate: 0.05, repetitions: 8 };

test('renderTable has one line per cell with attempts, failures, invalid, median, interval, p95', (t) => {
  const lines = renderTable(summaryOf(MIXED), { width: 120 }).split('\n');
  const header = lines.findIndex((line) => line.startsWith('sandbox'));
  t.regex(
    lines[header] ?? '',
    /^sandbox +function +attempts +failed +invalid +n +median +95 % interval +p95/,
  );
  t.is(
    lines.slice(header + 1).findIndex((line) => line === ''),
    8,
  );
  t.regex(
    lines[header + 1] ?? '',
    /^process +hello-go +24 +\d+ +\d+ +\d+ +[\d.]+ +\[[\d.]+, [\d.]+\] +[\d.]+/,
  );
});

test('renderTable shows attempts, failures and p95 on a terminal of 80 columns', (t) => {
  const text = renderTable(summaryOf(MIXED), { width: 80 });
  for (const title of ['attempts', 'failed', 'invalid', '95 % interval', 'p95']) {
    t.true(text.includes(title), title);
  }
});

test('renderTable shows the start spread with its clock bound', (t) => {
  t.regex(
    renderTable(summaryOf(), { width: 200 }),
    /Start spread: median [\d.]+, p95 [\d.]+, max [\d.]+ ms ± [\d.]+ ms clock bound/,
  );
  t.regex(renderTable(summaryOf({ agentsPerHost: [1] })), /Start spread: unknown/);
});

test('renderTable keeps every line within the width', (t) => {
  for (const width of [60, 80, 100, 160]) {
    for (const options of [MIXED, { instances: [1, 4] }, { trialsDone: 0 }]) {
      for (const line of renderTable(summaryOf(options), { width }).split('\n')) {
        t.true(line.length <= width, `${width}: ${line}`);
      }
    }
  }
});

test('renderTable differs with colour in nothing but colour', (t) => {
  const summary = summaryOf(MIXED);
  const plain = renderTable(summary, { width: 90 });
  const coloured = renderTable(summary, { width: 90, colour: true });
  t.not(coloured, plain);
  t.is(stripVTControlCharacters(coloured), plain);
  t.is(stripVTControlCharacters(plain), plain);
});

test('renderTable shows an absent figure as a dash, never as 0', (t) => {
  const line = renderTable(summaryOf({ failureRate: 1, repetitions: 1 }))
    .split('\n')
    .find((one) => one.startsWith('process'));
  t.regex(line ?? '', /^process +hello-go +3 +3 +0 +0 +- +- +-/);
});

test('renderTable lets no control character of a device through to the terminal', (t) => {
  const { run, plan, results } = makeRun({ repetitions: 6 });
  const details = { version: '1\u001B]0;owned\u0007\u202Ex' };
  const changed = results.map((result) =>
    result.deviceId === 'agent-2' ? { ...result, sandboxDetails: details } : result,
  );
  const text = renderTable(summarise(run, plan, changed), { width: 100 });
  t.true(text.includes('owned'));
  t.notRegex(text, /(?!\n)[\p{Cc}\p{Cf}]/u);
});

test('renderTable says that a run had waves, and only then', (t) => {
  const inWaves = renderTable(summaryOf({ agentsPerHost: [4], waves: 2 }), { width: 200 });
  t.true(inWaves.includes('In 2 waves, each simultaneous in itself; the spread is within a wave.'));
  t.regex(inWaves, /\(\d+ waves on 2 devices or more\)/);
  t.notRegex(renderTable(summaryOf()), /wave/);
});

test('renderTable shows the spread at a barrier in one line, and only if there is one', (t) => {
  const lines = renderTable(summaryOf({ kind: 'warm-call' }), { width: 200 }).split('\n');
  t.is(lines.filter((line) => line.includes('Barrier')).length, 1);
  t.regex(
    lines.find((line) => line.includes('Barrier')) ?? '',
    /^Barrier ready: spread median [\d.]+, p95 [\d.]+, max [\d.]+ ms ± [\d.]+ ms, lateness p95 /,
  );
  t.notRegex(renderTable(summaryOf()), /Barrier/);
});

test('renderTable names what a warm call and a no-op measure', (t) => {
  t.regex(renderTable(summaryOf({ kind: 'warm-call' })), /^sandbox .* n +call +95 % interval/m);
  t.regex(renderTable(summaryOf({ kind: 'no-op' })), /^sandbox .* n +lateness +95 % interval/m);
});

test('renderTable tells cells of a warm call apart by how many are called at once', (t) => {
  const many = renderTable(summaryOf({ kind: 'warm-call', instances: [1, 4], repetitions: 2 }));
  t.regex(many, /^sandbox +function +at once/m);
  t.notRegex(renderTable(summaryOf({ kind: 'warm-call' })), /at once/);
});
