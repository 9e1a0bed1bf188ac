import test from 'ava';
import fc from 'fast-check';
import { examine } from '../../../coordinator/import/findings.ts';
import type { Findings } from '../../../coordinator/import/findings.ts';
import { readHyperfine } from '../../../coordinator/import/hyperfine.ts';
import { readStudyCsv } from '../../../coordinator/import/study-csv.ts';
import { coldStartLines } from '../../support/study-csv.ts';

const HEADER = 'target,language,time';

function findingsOf(lines: readonly string[], header = HEADER): Findings {
  return examine(readStudyCsv([header, ...lines, ''].join('\n'), 'alloc.csv'));
}

const failed = (_: number, index: number): number => (index === 0 ? 1 : 0);

const codesOf = ({ limitations }: Findings): string[] => limitations.map(({ code }) => code);

function messageOf(findings: Findings, code: string): string {
  return findings.limitations.find((one) => one.code === code)?.message ?? '';
}

/** The lines with those of one sandbox changed, by their place among them. */
function changed(
  lines: readonly string[],
  sandbox: string,
  change: (seconds: string, index: number) => string,
): string[] {
  let index = 0;
  return lines.map((line) => {
    const [target = '', language = '', seconds = ''] = line.split(',');
    if (target !== sandbox) return line;
    index += 1;
    return `${target},${language},${change(seconds, index - 1)}`;
  });
}

const clean = (seed = 1): string[] => coldStartLines({ seed, order: 'cycle' });

test('clean data that cycles through its cells has no limitation of its own', (t) => {
  const property = fc.property(
    fc.integer({ min: 1, max: 2 ** 31 }),
    fc.integer({ min: 2, max: 150 }),
    (seed, rowsPerCell) => {
      const lines = coldStartLines({ seed, rowsPerCell, order: 'cycle' });
      const found = codesOf(findingsOf(lines));
      if (found.length > 0) throw new Error(found.join());
    },
  );
  t.notThrows(() => {
    fc.assert(property, { seed: 1, numRuns: 200 });
  });
  t.is(findingsOf(clean()).order, 'fixed');
  t.is(findingsOf(clean()).step, 100_000);
});

test('rows sorted by sandbox have lost their order, and nothing else', (t) => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const found = findingsOf(coldStartLines({ seed }));
    t.deepEqual(codesOf(found), ['order-lost']);
    t.is(found.order, 'unknown');
  }
  t.regex(messageOf(findingsOf(coldStartLines({ seed: 1 })), 'order-lost'), /400 rows are sorted/);
});

test('a cell of typed zeros counts as not measured', (t) => {
  const found = findingsOf(changed(clean(), 'docker', () => '0'));
  t.deepEqual(codesOf(found), ['typed-zeros']);
  t.deepEqual([...found.unmeasuredCells], ['docker/hello-go/1']);
});

test('a cell whose values are all the same is told', (t) => {
  const found = findingsOf(changed(clean(), 'docker', () => '0.3601'));
  t.deepEqual(codesOf(found), ['constant-values']);
});

test('duplicated rows are told with what is left, and their places', (t) => {
  const lines = clean();
  const found = findingsOf([...lines, ...lines]);
  t.true(codesOf(found).includes('duplicated-rows'));
  t.regex(messageOf(found, 'duplicated-rows'), /400 rows repeat.*nanos\/hello-go\/1 \(100 of 200/);
  t.deepEqual(
    [...found.repeated].toSorted((a, b) => a - b),
    Array.from({ length: 400 }, (_, index) => 400 + index),
  );
});

test('places of duplicated rows count those that failed', (t) => {
  const times = Array.from({ length: 30 }, (_, index) => 1 + ((index * 7919) % 997) / 1000);
  const results = [
    {
      command: 'a',
      times: [9, ...times, ...times],
      exit_codes: [1, ...times, ...times].map(failed),
    },
  ];
  const found = examine(readHyperfine(JSON.stringify({ results }), 'a.json'));
  t.deepEqual(
    [...found.repeated],
    times.map((_, index) => 31 + index),
  );
});

test('values in few steps are coarse', (t) => {
  const found = findingsOf(clean().map((line) => line.slice(0, -2)));
  t.deepEqual(codesOf(found), ['coarse-resolution']);
  t.regex(
    messageOf(found, 'coarse-resolution'),
    /step of 10 ms.*docker\/hello-go\/1 \(\d\.\d steps/,
  );
});

test('a cell with fewer rows than the round number of the others may lack failures', (t) => {
  const lines = coldStartLines({ seed: 3 }).filter(
    (line, index) => !line.startsWith('gvisor') || index % 33 !== 0,
  );
  const found = findingsOf(lines);
  t.deepEqual(codesOf(found), ['failures-missing', 'order-lost']);
  t.regex(messageOf(found, 'failures-missing'), /3 of 4 cells have 100 rows, but gvisor\/\S+ 97/);
});

test('neighbouring rows that are alike are told', (t) => {
  const slow = changed(clean(), 'nanos', (seconds, index) =>
    (Number(seconds) * (1 + Math.sin(index / 8) / 3)).toFixed(4),
  );
  t.deepEqual(codesOf(findingsOf(slow)), ['dependent-rows']);
});

test('values in ms among values in s are told, in a cell and between cells', (t) => {
  const some = changed(clean(), 'docker', (seconds, index) =>
    index % 50 === 7 ? String(Math.round(Number(seconds) * 1000)) : seconds,
  );
  t.regex(messageOf(findingsOf(some), 'mixed-units'), /2 of 100 values of docker\/hello-go\/1/);
  const whole = changed(clean(), 'docker', (seconds) => String(Math.round(Number(seconds) * 1000)));
  t.regex(messageOf(findingsOf(whole), 'mixed-units'), /docker\/hello-go\/1/);
  // A value that is only far out is an outlier, and those are told elsewhere.
  const outlier = changed(clean(), 'docker', (seconds, index) =>
    index === 5 ? '361.2047' : seconds,
  );
  t.deepEqual(codesOf(findingsOf(outlier)), []);
});

test('a batch is one measurement, however many rows it has', (t) => {
  const lines = [2, 3].flatMap((size) =>
    Array.from({ length: size }, (_, index) => `osv,go,${size},0.5${index}17`),
  );
  const found = findingsOf(lines, 'target,language,instances,time');
  t.deepEqual(codesOf(found), ['single-batch', 'order-lost']);
  t.regex(messageOf(found, 'single-batch'), /2 of 2 cells have one batch each/);
});

test('attempts that alternate within sorted sandboxes have lost their order all the same', (t) => {
  const lines = ['docker', 'osv'].flatMap((target) =>
    Array.from({ length: 10 }, (_, index) => [
      `${target},0.1${index}37,first`,
      `${target},0.2${index}41,second`,
    ]).flat(),
  );
  const found = findingsOf(lines, 'target,time,attempt');
  t.regex(messageOf(found, 'order-lost'), /sorted by sandbox/);
});
