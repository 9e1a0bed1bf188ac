import test from 'ava';
import { readHyperfine } from '../../../coordinator/import/hyperfine.ts';

const read = (document: unknown) => readHyperfine(JSON.stringify(document), 'bench.json');

test('times of hyperfine 1 become ns, and exit codes failures', (t) => {
  const command = 'sleep 0.01';
  const times = [0.0104, 0.010512345, 0.0107];
  const draft = read({ results: [{ command, mean: 0.0105, times, exit_codes: [0, 3, null] }] });
  t.deepEqual(
    draft.values.map(({ cell, value, failure }) => [cell.id, value, failure?.message]),
    [
      ['command/sleep-0-01/1', 10_400_000, undefined],
      ['command/sleep-0-01/1', 10_512_345, 'the command ended with exit code 3'],
      ['command/sleep-0-01/1', 10_700_000, 'the command was ended by a signal'],
    ],
  );
});

test('runs of hyperfine 2 are read too', (t) => {
  const measurements = [{ time_wall_clock: { value: 1.5, unit: 'second' }, exit_code: 0 }];
  const results = [{ command: 'sleep 1', name: 'one', measurements }];
  const [value] = read({ schema_version: 2, results }).values;
  t.is(value?.value, 1_500_000_000);
  t.is(value?.cell.function, 'one');
});

test('parameters named sandbox and function name the cell', (t) => {
  const parameters = { sandbox: 'runc', function: 'hello-go', size: '3' };
  const draft = read({ results: [{ command: 'x', times: [1], parameters }] });
  t.is(draft.values[0]?.cell.id, 'runc/hello-go-size-3/1');
});

test('one command keeps its order; of several, each came in a block', (t) => {
  const one = { command: 'a', times: [1, 2] };
  t.is(read({ results: [one] }).order, 'listed');
  t.is(read({ results: [one, { command: 'b', times: [1] }] }).order, 'blocks');
});

test('every mistake of an export is told with its place', (t) => {
  const bad = (document: unknown): string =>
    t.throws(() => read(document), { code: 'IMPORT_INVALID' }).message;
  const text = bad({ results: [{ command: 'a', times: [-1, 'x'] }, { times: [1] }] });
  t.regex(text, /results\.0\.times\.0/);
  t.regex(text, /results\.0\.times\.1/);
  t.regex(text, /results\.1\.command/);
  t.regex(bad({ results: [] }), /results/);
  t.regex(bad([]), /the document/);
  t.regex(
    bad({ results: [{ command: 'a', times: [1, 2], exit_codes: [0] }] }),
    /as many exit codes/,
  );
  t.regex(bad({ results: [{ command: 'a' }] }), /has no times/);
  t.regex(
    bad({
      results: [
        { command: 'a b', times: [1] },
        { command: 'a-b', times: [1] },
      ],
    }),
    /another command is command\/a-b\/1 already/,
  );
  t.throws(() => readHyperfine('{"results":[{', 'bench.json'), { message: /it is no JSON/ });
});
