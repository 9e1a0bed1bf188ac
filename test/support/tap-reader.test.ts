import test from 'ava';
import { TapReader } from './tap-reader.ts';
import type { TapTest } from './tap-reader.ts';
import { TestReport } from './test-report.ts';

const OUTPUT = `TAP version 13
ok 1 - a › never run # SKIP
not ok 2 - a › later # TODO
not ok 3 - a › fails # hash
#   some log
#   second
  ---
    name: AssertionError
    details:
      'ok 9 - not a test': |-
        1..6
  ...
ok 4 - b › cannot run here
#   skipped: needs root
ok 5 - b › passes
#   skips nothing

1..5
# tests 5
# pass 2
`;

function read(text: string): { tests: TapTest[]; isComplete: boolean } {
  const tests: TapTest[] = [];
  const reader = new TapReader((told) => tests.push(told));
  for (const line of text.split('\n')) reader.push(line);
  reader.end();
  return { tests, isComplete: reader.isComplete };
}

test('TapReader tells every test with its outcome, log and details', (t) => {
  const { tests, isComplete } = read(OUTPUT);
  t.true(isComplete);
  t.deepEqual(
    tests.map(({ title, outcome }) => [title, outcome]),
    [
      ['a › never run', 'skipped'],
      ['a › later', 'skipped'],
      ['a › fails # hash', 'failed'],
      ['b › cannot run here', 'skipped'],
      ['b › passes', 'passed'],
    ],
  );
  t.deepEqual(tests[2]?.log, ['some log', 'second']);
  t.is(tests[2]?.details.length, 4);
});

test('TapReader is not complete if the runner was cut off', (t) => {
  const { tests, isComplete } = read(OUTPUT.slice(0, OUTPUT.indexOf('1..5')).trimEnd());
  t.is(tests.length, 5);
  t.false(isComplete);
});

test('TestReport ends with the counts alone on a line', (t) => {
  const report = new TestReport();
  const told = read(OUTPUT).tests.flatMap((found) => report.add(found));
  t.true(told.includes('FAIL a › fails # hash'));
  t.true(told.includes('    skipped: needs root'));
  const { lines, isGood } = report.finish({ exitCode: 1, isComplete: true });
  t.false(isGood);
  t.deepEqual(lines, [
    'a: 0 passed, 1 failed, 2 skipped',
    'b: 1 passed, 0 failed, 1 skipped',
    '1 passed, 1 failed, 3 skipped',
  ]);
});

test('TestReport leaves out what is not there', (t) => {
  const report = new TestReport();
  report.add({ title: 'passes', outcome: 'passed', log: [], details: [] });
  const { lines, isGood } = report.finish({ exitCode: 0, isComplete: true });
  t.true(isGood);
  t.is(lines.at(-1), '1 passed, 0 failed');
});

const isBad = test.macro({
  exec(t, end: { exitCode: number | null; isComplete: boolean }, passed: number, reason: RegExp) {
    const report = new TestReport();
    for (let count = 0; count < passed; count += 1) {
      report.add({ title: 'passes', outcome: 'passed', log: [], details: [] });
    }
    const { lines, isGood } = report.finish(end);
    t.false(isGood);
    t.regex(lines.at(-2) ?? '', reason);
    t.is(lines.at(-1), `${passed} passed, 1 failed`);
  },
  title: (providedTitle) => `TestReport fails a run ${providedTitle ?? ''}`,
});
test('without any test', isBad, { exitCode: 0, isComplete: true }, 0, /No test ran/);
test('that was cut off', isBad, { exitCode: null, isComplete: false }, 2, /before its summary/);
test('with a bad exit code', isBad, { exitCode: 1, isComplete: true }, 2, /exit code 1/);
