import test from 'ava';
import { readStudyCsv } from '../../../coordinator/import/study-csv.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { coldStartCsv } from '../../support/study-csv.ts';

function mistakesOf(text: string, fileName = 'some.csv', as?: string): string {
  try {
    readStudyCsv(text, fileName, as);
  } catch (error) {
    if (error instanceof LockstepError) return `${error.message} ${error.hint ?? ''}`;
  }
  return '';
}

const csv = (...lines: readonly string[]): string => `${lines.join('\n')}\n`;

test('a cold-start file gives a value in ns per row, with names as the source has them', (t) => {
  const draft = readStudyCsv(csv('target,language,time', 'osv,go,0.3364', 'linux,node,0.1'), 'a');
  t.is(draft.source, 'study-cold-start');
  t.deepEqual(
    draft.values.map(({ line, cell, value }) => [line, cell.id, value]),
    [
      [2, 'osv/hello-go/1', 336_400_000],
      [3, 'linux/hello-node/1', 100_000_000],
    ],
  );
});

test('line ends of either kind, a byte order mark and quotes change nothing', (t) => {
  const plain = coldStartCsv({ seed: 1, rowsPerCell: 3 });
  const { values } = readStudyCsv(plain, 'a.csv');
  t.is(values.length, 12);
  for (const text of [
    `\uFEFF${plain}`,
    plain.replaceAll('\n', '\r\n'),
    plain.replaceAll(/[a-z]+/g, '"$&"'),
    plain.trimEnd(),
  ]) {
    t.deepEqual(readStudyCsv(text, 'a.csv').values, values);
  }
});

test('columns may stand in any order', (t) => {
  const draft = readStudyCsv(csv('time,target,language', '0.5,osv,go'), 'a.csv');
  t.is(draft.values[0]?.cell.id, 'osv/hello-go/1');
});

test('a file of runc and runsc alone is one of containers without a daemon', (t) => {
  const draft = readStudyCsv(csv('target,language,time', 'runc,go,0.15', 'runsc,go,0.3'), 'a');
  t.is(draft.source, 'study-container-cold-start');
});

test('as many rows as sandboxes make a batch each; as many rows in each cell, batches', (t) => {
  const rows = (counts: readonly [number, number][]): string =>
    csv(
      'target,language,instances,time',
      ...counts.flatMap(([size, count]) => Array.from({ length: count }, () => `osv,go,${size},1`)),
    );
  const sourceOf = (counts: readonly [number, number][]): string =>
    readStudyCsv(rows(counts), 'time.csv').source;
  t.is(sourceOf([[2, 2], [3, 3]]), 'study-burst'); // prettier-ignore
  t.is(sourceOf([[2, 4], [3, 4]]), 'study-container-burst'); // prettier-ignore
  t.regex(
    mistakesOf(rows([[4, 4]])),
    /could be sandboxes of a batch, or whole batches.*--as burst/,
  );
  t.is(readStudyCsv(rows([[4, 4]]), 'time.csv', 'burst').source, 'study-burst');
  t.regex(mistakesOf(rows([[2, 4]]), 'time.csv', 'burst'), /4 rows for a batch of 2/);
});

test('files that differ in their unit only are told by name or --as, and never guessed', (t) => {
  const text = csv('target,time,attempt', 'nanos,65,first');
  t.is(readStudyCsv(text, 'fft.csv').values[0]?.value, 65_000_000);
  t.is(readStudyCsv(text, 'cpu--fib.csv').values[0]?.value, 65_000_000_000);
  t.is(readStudyCsv(text, 'fib.csv', 'fft').values[0]?.cell.function, 'fft-first');
  t.regex(mistakesOf(text, 'data.csv'), /could be fft, matrix, fib, alloc, read.*--as/);
});

test('setup and startup are added up; memory is in bytes', (t) => {
  const times = csv('target,language,cached,setup,startup', 'osv,go,1,1.5,2.25000000');
  const [value] = readStudyCsv(times, 'a').values;
  t.is(value?.value, 3_750_000);
  t.is(value?.cell.function, 'hello-go-cached');
  const memory = csv('target,language,instances,memory', 'osv,go,10,3');
  t.is(readStudyCsv(memory, 'a').values[0]?.value, 3 * 2 ** 20);
});

test('what is no latency is refused with the reason', (t) => {
  t.regex(mistakesOf(csv('target,language,instructions', 'runc,go,0')), /numbers of instructions/);
  t.regex(
    mistakesOf(csv('target,language,cached,function,time', 'osv,go,0,vcpu_run,1')),
    /parts of a start and no latency/,
  );
});

test('all mistakes are told at once with their lines, at most 20 of them', (t) => {
  const text = mistakesOf(
    csv(
      'target,language,time',
      'nanos,go,NaN',
      'nanos,go,-0.5',
      'nanos,go,1e999',
      'nanos,go,0,3364',
      'Nanos,go,0.1',
      'nanos,go',
      'nanos,go,0.2',
      'nanos,go,',
      'nanos,go,Infinity',
    ),
  );
  for (const expected of [
    "2: time 'NaN' is no number",
    "3: time '-0.5' is negative",
    "4: time '1e999' is too large",
    '5: 4 fields where the header has 3; if that is a decimal comma',
    "6: 'Nanos' is no name",
    '7: 2 fields where the header has 3',
    "9: time '' is no number",
    "10: time 'Infinity' is no number",
  ]) {
    t.true(text.includes(`some.csv:${expected}`), expected);
  }
  t.false(text.includes('some.csv:8'));
  const many = mistakesOf(
    csv('target,language,time', ...Array.from({ length: 50 }, () => 'a,b,x')),
  );
  t.true(many.includes('some.csv:21:') && !many.includes('some.csv:22:'));
  t.true(many.includes('and 30 more'));
});

test('an empty file, a header alone and an unknown header are refused', (t) => {
  t.regex(mistakesOf(''), /it is empty/);
  t.regex(mistakesOf('target,language,time\n'), /no rows/);
  t.regex(mistakesOf(csv('target,language,tme', 'a,b,1')), /no known kind.*'target,language,tme'/);
  t.regex(
    mistakesOf(coldStartCsv({ seed: 1 }), 'a.csv', 'memory'),
    /a memory file has the columns/,
  );
});
