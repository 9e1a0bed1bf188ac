// Every kind of damage to the results of a run: what is left is read, and the rest is told.
import { appendFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { withCheck } from '../../../coordinator/recording/checked-json.ts';
import type { RunFolder, RunRecord } from '../../../coordinator/recording/run-folder.ts';
import { TrialResult } from '../../../schemas/result.ts';
import { rejection } from '../../support/rejection.ts';
import { endedRun, recorded } from './ended-run.ts';

const { run, plan, results } = recorded;
const RESULTS = 'results.ndjson';

async function lines(folder: RunFolder): Promise<string[]> {
  return (await readFile(folder.path(RESULTS), 'utf8')).trimEnd().split('\n');
}

async function writeLines(folder: RunFolder, all: readonly (string | Buffer)[]): Promise<void> {
  const parts = all.flatMap((line) => [Buffer.from(line), Buffer.from('\n')]);
  await writeFile(folder.path(RESULTS), Buffer.concat(parts));
}

test('a whole run has no damage', async (t) => {
  const record = await (await endedRun(t)).read();
  t.deepEqual(record.results, results);
  t.is(record.damage.describe(), undefined);
});

/** What was left out, how it is told, and that all else is as it was. */
function assertLeftOut(
  t: ExecutionContext,
  { results: read, damage }: RunRecord,
  expected: { lines: readonly number[]; message: RegExp },
): void {
  const kept = results.filter((_result, index) => !expected.lines.includes(index + 1));
  t.deepEqual(read, kept);
  t.is(damage.linesLeftOut, expected.lines.length);
  t.regex(damage.describe()?.message ?? '', expected.message);
}

test('a digit changed in a result leaves that result out, though it is valid JSON', async (t) => {
  const folder = await endedRun(t);
  const all = await lines(folder);
  const changed = all[2]!.replace(
    /("firstByte":"\d)(\d)/,
    (_all, before: string, digit: string) => `${before}${9 - Number(digit)}`,
  );
  t.not(changed, all[2]);
  t.notThrows(() => TrialResult.decode(JSON.parse(changed) as never));
  await writeLines(folder, all.with(2, changed));
  const message = /1 damaged line left out.*results\.ndjson line 3: its checksum does not match/;
  assertLeftOut(t, await folder.read(), { lines: [3], message });
});

/** What is done to lines, which are then left out, and how it is told. */
const SPOILED_LINES: readonly [
  what: string,
  spoil: (all: readonly string[]) => (string | Buffer)[],
  leftOut: readonly number[],
  message: RegExp,
][] = [
  ['zeros in the middle', (all) => all.with(4, '\0'.repeat(4096)), [5], /line 5: has no checksum/],
  [
    'a half line in the middle',
    (all) => all.with(1, all[1]!.slice(0, 300)),
    [2],
    /line 2: has no checksum/,
  ],
  [
    'invalid UTF-8',
    (all) => [...all.slice(0, 3), Buffer.from([0xff, 0xfe, 0x22]), ...all.slice(4)],
    [4],
    /line 4: has no checksum/,
  ],
  [
    'a checksum taken off',
    (all) => all.with(0, all[0]!.replace(/,"check":"[0-9a-f]{8}"/, '')),
    [1],
    /line 1: has no checksum/,
  ],
  [
    'another protocol',
    (all) => all.with(0, withCheck('{"protocol":99}')),
    [1],
    /line 1: does not have the form of such a line/,
  ],
];

for (const [what, spoil, leftOut, message] of SPOILED_LINES) {
  test(`results with ${what} are read without the damaged line, with a warning`, async (t) => {
    const folder = await endedRun(t);
    await writeLines(folder, spoil(await lines(folder)));
    assertLeftOut(t, await folder.read(), { lines: leftOut, message });
    const strict = folder.readResults({ run: await folder.readRun(), plan });
    const error = await rejection(strict);
    t.is(error.code, 'RUN_DAMAGED', 'who does not take the damage gets an error');
  });
}

/** Results that belong elsewhere, and how that is told. */
const STRAY: readonly [what: string, stray: TrialResult, message: RegExp][] = [
  ['another run', { ...results[0]!, runId: 'run-other' }, /line \d+: is of run run-other/],
  ['an unknown device', { ...results[0]!, deviceId: 'rpi-9' }, /is of rpi-9, which is no device/],
  ['an unplanned trial', { ...results[0]!, trialId: 't9999' }, /trial t9999, which is not planned/],
  [
    'another cell than planned',
    { ...results[0]!, cell: { ...results[0]!.cell, instances: 4 } },
    /says cell .* of trial t0000; planned is/,
  ],
];

for (const [what, stray, message] of STRAY) {
  test(`a result of ${what} is left out, with a warning`, async (t) => {
    const folder = await endedRun(t);
    await folder.appendResults([stray]);
    const record = await folder.read();
    t.deepEqual(record.results, results);
    t.is(record.damage.linesLeftOut, 1);
    t.regex(record.damage.describe()?.message ?? '', message);
  });
}

test('results cut off at a line end are told by the end that run.json states', async (t) => {
  const folder = await endedRun(t);
  const all = await lines(folder);
  await writeLines(folder, all.slice(0, -2));
  const { results: read, damage } = await folder.read();
  t.deepEqual(read, results.slice(0, -2));
  t.is(damage.linesLeftOut, 0);
  t.regex(
    damage.describe()?.message ?? '',
    new RegExp(`${all.length - 2} whole lines.*it had \\d+ bytes and ${all.length} lines`),
  );
});

test('results that are cut off and damaged are told to be both', async (t) => {
  const folder = await endedRun(t);
  await writeLines(folder, (await lines(folder)).slice(0, -2).with(0, 'junk'));
  const { results: read, damage } = await folder.read();
  t.deepEqual(read, results.slice(1, -2));
  t.is(damage.linesLeftOut, 1);
  t.regex(damage.describe()?.message ?? '', /line 1: has no checksum;.* it had \d+ bytes/);
});

test('results that are missing as a whole are told', async (t) => {
  const folder = await endedRun(t);
  await rm(folder.path(RESULTS));
  const { results: read, damage } = await folder.read();
  t.deepEqual(read, []);
  t.regex(damage.describe()?.message ?? '', /has 0 bytes/);
});

test('results in another order are all read, and told to be changed', async (t) => {
  const folder = await endedRun(t);
  await writeLines(folder, (await lines(folder)).toReversed());
  const { results: read, damage } = await folder.read();
  t.deepEqual(read, results.toReversed());
  t.regex(damage.describe()?.message ?? '', /its content is not what it was/);
});

test('a torn last line is damage once the run has ended, and none while it goes on', async (t) => {
  const ended = await endedRun(t);
  await appendFile(ended.path(RESULTS), '{"protocol":1,"ru');
  t.regex((await ended.read()).damage.describe()?.message ?? '', /is cut off/);
  const going = await endedRun(t, { state: 'running' });
  await appendFile(going.path(RESULTS), '{"protocol":1,"ru');
  const record = await going.read();
  t.deepEqual(record.results, results);
  t.is(record.damage.describe(), undefined);
});

test('results that came after the stated end are no damage', async (t) => {
  const folder = await endedRun(t);
  const late = { ...results[0]!, attempt: 2 };
  await folder.appendResults([late]);
  const record = await folder.read();
  t.deepEqual(record.results, [...results, late]);
  t.is(record.damage.describe(), undefined);
});

test('a run without checksums is refused if its results are not what its end states', async (t) => {
  const folder = await endedRun(t);
  const plain = (await lines(folder)).map((line) => line.replace(/,"check":"[0-9a-f]{8}"/, ''));
  await writeLines(folder, plain);
  await folder.writeRun(await folder.sealed(run));
  t.is((await folder.read()).damage.describe(), undefined);
  await writeLines(folder, plain.with(0, plain[0]!.replace('"attempt":1', '"attempt":2')));
  const error = await rejection(folder.read());
  t.is(error.code, 'RUN_DAMAGED');
  t.regex(error.message, /its content is not what it was/);
});

test('a line longer than any result is left out, and what follows it is read', async (t) => {
  const folder = await endedRun(t);
  const late = { ...results[0]!, attempt: 2 };
  const { size } = await stat(folder.path(RESULTS));
  await truncate(folder.path(RESULTS), size + 70 * 1024 * 1024);
  await appendFile(folder.path(RESULTS), '\n');
  await folder.appendResults([late]);
  const record = await folder.read();
  t.deepEqual(record.results, [...results, late]);
  t.regex(record.damage.describe()?.message ?? '', /is longer than 67108864 bytes/);
});

test('many damaged lines are all counted, and the first are named', async (t) => {
  const folder = await endedRun(t);
  const all = await lines(folder);
  await writeLines(folder, [...all, ...Array.from({ length: 50 }, () => 'junk')]);
  const { damage } = await folder.read();
  t.is(damage.linesLeftOut, 50);
  t.is(damage.places.length, 20);
  t.regex(damage.describe()?.message ?? '', /50 damaged lines left out.*and 47 more/);
});
