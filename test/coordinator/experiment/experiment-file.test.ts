import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { SandboxName } from '../../../schemas/sandbox.ts';
import fc from 'fast-check';
import { stringify } from 'yaml';
import {
  assertExperiment,
  formatMistakes,
  parseExperiment,
} from '../../../coordinator/experiment/experiment-file.ts';
import type { Mistake } from '../../../coordinator/experiment/mistake.ts';
import { LockstepError } from '../../../schemas/errors.ts';

const VALID = `experiment: cold
question: How long?
procedure:
  kind: cold-start
factors:
  sandbox: [process, runc]
  function: [hello-go]
repetitions: 3
`;

function mistakesOf(text: string, fileName = 'file.yaml'): readonly Mistake[] {
  const parsed = parseExperiment(text, fileName);
  return 'mistakes' in parsed ? parsed.mistakes : [];
}

const WIDTH = '  halfWidthPercent: 5\n';

/** The places of all mistakes, as `line:column path`. */
function placesOf(text: string): string[] {
  return mistakesOf(text).map(({ line, column, path }) => `${line}:${column} ${path}`);
}

/** Replaces one line of the valid file, so that every other part of it stays right. */
function withLine(line: number, replacement: string): string {
  const lines = VALID.split('\n');
  lines[line - 1] = replacement;
  return lines.join('\n');
}

test('parseExperiment fills in what a valid file leaves out', (t) => {
  const parsed = parseExperiment(VALID, 'cold.yaml');
  t.true('experiment' in parsed);
  if (!('experiment' in parsed)) return;
  t.deepEqual(parsed.experiment.factors.instances, [1]);
  t.deepEqual(parsed.experiment.limits, { memoryMib: 512, cpus: 1 });
  t.is(parsed.experiment.order, 'randomised-blocks');
  t.is(parsed.experiment.unavailable, 'refuse');
});

test('parseExperiment accepts every experiment of this repository', (t) => {
  const folder = join(import.meta.dirname, '../../../experiments');
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  t.true(files.includes('quickstart.yaml'));
  for (const file of files) {
    t.deepEqual(mistakesOf(readFileSync(join(folder, file), 'utf8'), file), [], file);
  }
});

test('parseExperiment accepts a file with a byte order mark and Windows line ends', (t) => {
  t.deepEqual(mistakesOf(`\uFEFF${VALID.replaceAll('\n', '\r\n')}`), []);
});

test('parseExperiment accepts aliases of earlier values', (t) => {
  const text = VALID.replace('question: How long?', 'question: &q How long?').replace(
    'repetitions: 3',
    'repetitions: 3\ndevices:\n  labels:\n    why: *q',
  );
  const parsed = parseExperiment(text, 'file.yaml');
  t.true('experiment' in parsed && parsed.experiment.devices.labels['why'] === 'How long?');
});

test('parseExperiment finds mistakes of "until" beside all others', (t) => {
  const text = `${withLine(8, 'repetitions: 30')}until:
  halfWidthPercent: 5 %
  looks: [20, 10, 0, 40]
  timeLimit: 60
gang: some
`;
  t.deepEqual(placesOf(text), [
    '10:21 until.halfWidthPercent',
    '11:15 until.looks[1]',
    '11:19 until.looks[2]',
    '11:19 until.looks[2]',
    '11:22 until.looks[3]',
    '12:3 until.timeLimit',
    '13:7 gang',
  ]);
  t.deepEqual(placesOf(`${VALID}until:\n${WIDTH}  looks: [20]\n`.replace('3', 'three')), [
    '8:14 repetitions',
  ]);
});

test('parseExperiment estimates the median where "until" does not say', (t) => {
  const parsed = parseExperiment(`${VALID}until:\n${WIDTH}`, 'file.yaml');
  t.deepEqual('experiment' in parsed && parsed.experiment.until, {
    halfWidthPercent: 5,
    of: 'median',
  });
});

test('parseExperiment finds every mistake at once, in the order of the file', (t) => {
  const text = `experiment: My Experiment
question: 7
procedure:
  kind: cold-strt
  readyTimeoutMs: ten
factors:
  sandbox: [process, gvizor, process]
  function: hello-go
  instances: [1, 2.5]
exclude:
  - {}
limits:
  memoryMib: 1
  cpu: 2
repetitions: 3
repetitions: 0
seed: -1
devices:
  labels:
    Site A: north
budget: {latenessMs: 0}
gang: some
`;
  t.deepEqual(placesOf(text), [
    '1:13 experiment',
    '2:11 question',
    '4:9 procedure.kind',
    '5:19 procedure.readyTimeoutMs',
    '7:22 factors.sandbox[1]',
    '7:30 factors.sandbox[2]',
    '8:13 factors.function',
    '9:18 factors.instances[1]',
    '11:5 exclude[0]',
    '13:14 limits.memoryMib',
    '14:3 limits.cpu',
    '16:1 repetitions',
    '16:14 repetitions',
    '17:7 seed',
    '20:5 devices.labels["Site A"]',
    '21:22 budget.latenessMs',
    '22:7 gang',
  ]);
});

const finds = test.macro({
  exec(t, text: string, expected: Partial<Mistake>) {
    const mistakes = mistakesOf(text);
    t.is(mistakes.length, 1, formatMistakes(mistakes, 'file.yaml'));
    t.like(mistakes[0], expected);
  },
  title: (providedTitle) => `parseExperiment ${providedTitle ?? ''}`,
});

test('names the key that was probably meant', finds, `${VALID}repetition: 4\n`, {
  line: 9,
  column: 1,
  path: 'repetition',
  message: 'unknown key "repetition"',
  hint:
    'Did you mean "repetitions"? Known: experiment, question, procedure, factors, exclude, ' +
    'limits, repetitions, until, order, seed, devices, gang, waves, unavailable, budget, ' +
    'telemetry.',
});
test('refuses looks beyond the repetitions', finds, `${VALID}until:\n${WIDTH}  looks: [2, 4]\n`, {
  line: 11,
  column: 14,
  path: 'until.looks[1]',
  message: 'until.looks[1]: 4 is more than the 3 repetitions',
});
test('refuses looks that go back', finds, `${VALID}until:\n${WIDTH}  looks: [2, 1]\n`, {
  path: 'until.looks[1]',
  message: 'until.looks[1]: looks ascend, but 1 follows 2',
});
test('refuses an end that nothing brings about', finds, `${VALID}until:\n  of: median\n`, {
  line: 10,
  path: 'until',
  message: 'until: name halfWidthPercent, timeLimitMinutes or both',
});
test('refuses looks at nothing', finds, `${VALID}until: {timeLimitMinutes: 1, looks: [2]}\n`, {
  path: 'until.looks',
  message: 'until.looks: looks are of use only with halfWidthPercent',
});
test('names what can be estimated', finds, `${VALID}until:\n${WIDTH}  of: mean\n`, {
  path: 'until.of',
  hint: 'Did you mean "median"? Known: median, p95.',
});
test(
  'points at an unknown key in a nested mapping',
  finds,
  withLine(4, '  kind: burst\n  kin: 1'),
  {
    line: 5,
    column: 3,
    message: 'unknown key "kin" in procedure',
    hint: 'Did you mean "kind"? Known: kind, readyTimeoutMs.',
  },
);
test('lists the known sandboxes', finds, withLine(6, '  sandbox: [jail]'), {
  line: 6,
  column: 13,
  message: 'factors.sandbox[0] must be a known sandbox, but is "jail"',
  hint: `Known: ${SandboxName.options.join(', ')}.`,
});
test('names the sandbox that was probably meant', finds, withLine(6, '  sandbox: [gVizor]'), {
  hint: `Did you mean "gvisor"? Known: ${SandboxName.options.join(', ')}.`,
});
test('points at the mapping that lacks a key', finds, withLine(4, '  readyTimeoutMs: 500'), {
  line: 3,
  column: 1,
  path: 'procedure.kind',
  message: 'procedure.kind is missing',
});
test('proposes the name of the file for the experiment', finds, withLine(1, '# nothing'), {
  path: 'experiment',
  hint: 'Add a name, e.g. experiment: file',
});
test('tells an empty value from a missing one', finds, withLine(8, 'repetitions:'), {
  line: 8,
  message: 'repetitions must be a number, but is empty',
});
test('shows how a single value becomes a list', finds, withLine(7, '  function: hello-go'), {
  message: 'factors.function must be a list, but is "hello-go"',
  hint: 'Write [hello-go]. Functions to run in each of them.',
});
test('names the range of a number', finds, withLine(8, 'repetitions: 0'), {
  message: 'repetitions must be at least 1, but is 0',
});
test('names a number that is none', finds, withLine(8, 'repetitions: .nan'), {
  message: 'repetitions must be a number, but is NaN',
});
test(
  'refuses several instances of a cold start',
  finds,
  withLine(7, '  function: [a]\n  instances: [1, 2]'),
  {
    line: 8,
    column: 14,
    message: 'factors.instances: a cold-start has one instance; use procedure kind burst for more',
  },
);
test('refuses an unknown key among the limits', finds, `${VALID}limits: {memory: 64}\n`, {
  path: 'limits.memory',
});
test('refuses an empty file', finds, '', { line: 1, column: 1, path: '' });
test('refuses a list', finds, '- 1\n', { message: 'the file must be a mapping of keys to values' });
test('refuses a second document', finds, `${VALID}---\na: 1\n`, {
  line: 9,
  message: 'a second document begins here',
});
test('names both lines of a repeated key', finds, `${VALID}repetitions: 4\n`, {
  line: 9,
  column: 1,
  message: 'the key "repetitions" was already given on line 8',
});
test('refuses tags', finds, withLine(2, 'question: !why How?'), { line: 2, column: 11 });
test('refuses merge keys', finds, `${VALID}<<: {seed: 1}\n`, { message: 'unknown key "<<"' });
test('refuses a key that is a prototype', finds, `${VALID}__proto__: {seed: 1}\n`, {
  message: 'unknown key "__proto__"',
});
test('refuses an alias without a value', finds, withLine(2, 'question: *why'), {
  line: 2,
  column: 11,
});
test('refuses an alias that contains itself', finds, `${VALID}exclude: &a [*a]\n`, {
  line: 9,
  message: 'the alias *a contains itself',
});
test('refuses more than 32 aliases', finds, `a: &a 1\nb: [${'*a, '.repeat(33)}]\n`, {
  message: 'there are more than 32 aliases',
});
test('refuses more than 256 KiB', finds, `${VALID}#${'x'.repeat(262_144)}\n`, {
  line: 1,
  hint: 'An experiment takes a page or less; check that this is the right file.',
});

test('parseExperiment finds a broken rule between fields beside other mistakes', (t) => {
  const text = withLine(7, '  function: [Hello]\n  instances: [2]').concat('sed: 1\n');
  t.deepEqual(placesOf(text), ['7:14 factors.function[0]', '8:14 factors.instances', '10:1 sed']);
});

test('parseExperiment judges what stands before a syntax error, not what is behind', (t) => {
  const text = `sed: 1\n${VALID}\tgang: nobody\n`;
  const mistakes = mistakesOf(text);
  t.deepEqual(
    mistakes.map(({ line }) => line),
    [1, 10],
  );
  t.is(mistakes[1]?.hint, 'Indent with spaces.');
});

test('parseExperiment refuses nesting and alias bombs within a bounded time', (t) => {
  const doubling = Array.from(
    { length: 16 },
    (_, index) => `k${index + 1}: &k${index + 1} [*k${index}, *k${index}]`,
  );
  const bomb = ['k0: &k0 [x, x]', ...doubling].join('\n');
  for (const text of ['['.repeat(200_000), '{a: '.repeat(50_000), bomb]) {
    t.true(mistakesOf(text).length > 0);
  }
});

test('parseExperiment tells at most 50 mistakes and counts the rest', (t) => {
  const keys = Array.from({ length: 80 }, (_, index) => `wrong${index}: 1\n`).join('');
  const mistakes = mistakesOf(VALID + keys);
  t.is(mistakes.length, 51);
  t.is(mistakes.at(-1)?.message, 'and 30 more mistakes from here on');
});

test('formatMistakes writes file, line, column and a hint', (t) => {
  const mistake = { line: 12, column: 5, path: 'a', message: 'is wrong', hint: 'Right it.' };
  t.is(
    formatMistakes([mistake, { ...mistake, line: 13 }], 'e.yaml'),
    'e.yaml:12:5: is wrong\n  hint: Right it.\ne.yaml:13:5: is wrong\n  hint: Right it.',
  );
});

test('assertExperiment returns a valid experiment', (t) => {
  t.is(assertExperiment(VALID, 'file.yaml').experiment, 'cold');
});

test('assertExperiment throws EXPERIMENT_INVALID with every mistake', (t) => {
  const error = t.throws(() => assertExperiment(`${VALID}sed: 1\ngnag: all\n`, 'file.yaml'), {
    instanceOf: LockstepError,
  });
  t.is(error.code, 'EXPERIMENT_INVALID');
  t.regex(error.message, /^file\.yaml has 2 mistakes:\nfile\.yaml:9:1: .*"sed"/);
  t.regex(error.message, /file\.yaml:10:1: .*"gnag"/);
});

const identifier = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,10}[a-z0-9])?$/);
const validExperiment = fc.record(
  {
    experiment: identifier,
    question: fc.string({ minLength: 1, maxLength: 80, unit: 'grapheme' }),
    procedure: fc.record(
      { kind: fc.constant('burst'), readyTimeoutMs: fc.integer({ min: 100, max: 600_000 }) },
      { requiredKeys: ['kind'] },
    ),
    factors: fc.record({
      sandbox: fc.subarray(['process', 'runc', 'gvisor', 'microvm'], { minLength: 1 }),
      function: fc.uniqueArray(identifier, { minLength: 1, maxLength: 4 }),
      instances: fc.uniqueArray(fc.integer({ min: 1, max: 128 }), { minLength: 1, maxLength: 4 }),
    }),
    repetitions: fc.integer({ min: 1, max: 100_000 }),
    seed: fc.integer({ min: 0, max: 0xffff_ffff }),
    devices: fc.record({ labels: fc.dictionary(identifier, identifier, { maxKeys: 3 }) }),
    budget: fc.record({ latenessMs: fc.double({ min: 0.001, max: 60_000, noNaN: true }) }),
    gang: fc.constantFrom('all', 'available'),
  },
  { requiredKeys: ['experiment', 'question', 'procedure', 'factors', 'repetitions'] },
);

test('parseExperiment accepts whatever valid experiment YAML writes', (t) => {
  fc.assert(
    fc.property(validExperiment, (experiment) => {
      const parsed = parseExperiment(stringify(experiment), 'file.yaml');
      assert.ok('experiment' in parsed, JSON.stringify(parsed));
      assert.equal(parsed.experiment.question, experiment.question);
      assert.deepEqual(parsed.experiment.factors, { ...experiment.factors });
    }),
  );
  t.pass();
});

test('parseExperiment finds nothing but mistakes with a place in any damaged file', (t) => {
  const damage = fc.record({
    at: fc.nat(VALID.length),
    removed: fc.nat(12),
    added: fc.oneof(
      fc.string({ maxLength: 6, unit: 'binary' }),
      fc.constantFrom('\t', '\n', ': ', '- ', '[', '}', '&a ', '*a', '!x ', '"', '? ', '|\n', '~'),
    ),
  });
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 5 }), (damages) => {
      let text = VALID;
      for (const { at, removed, added } of damages) {
        text = text.slice(0, at) + added + text.slice(at + removed);
      }
      const parsed = parseExperiment(text, 'file.yaml');
      if ('experiment' in parsed) return;
      assert.ok(parsed.mistakes.length > 0);
      const lines = text.split(/\r\n|\n|\r/).length;
      for (const { line, column, message, hint } of parsed.mistakes) {
        assert.ok(line >= 1 && line <= lines && column >= 1, `${line}:${column} of ${lines}`);
        assert.ok(message !== '' && hint !== '' && !/[\n\r]/.test(message), message);
      }
    }),
    { numRuns: 500 },
  );
  t.pass();
});
