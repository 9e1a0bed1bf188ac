import test from 'ava';
import { hasFunctions, onlyHelloGo } from '../support/stack.ts';
import { measureStarts } from './start.ts';

test('start: two devices 20 s apart start together, and every stated bound is true', async (t) => {
  if (process.getuid?.() !== 0 || !(await hasFunctions())) {
    t.log('skipped: needs root, for time namespaces, and the functions');
    t.pass();
    return;
  }
  Object.assign(process.env, await onlyHelloGo(t));
  const { columns, rows } = await measureStarts(
    {
      log: (line) => {
        t.log(line);
      },
    },
    new AbortController().signal,
    { rounds: 1, trialsPerRound: 5, links: ['1 ± 0.3 ms'] },
  );
  const found = rows.map((row) =>
    Object.fromEntries(columns.map((column, index) => [column, row[index]])),
  );
  const ours = found.filter(({ method }) => String(method).startsWith('lockstep'));
  t.is(ours.length, 2);
  for (const { link, method, trials, unusable, insidePercent } of ours) {
    const name = `${String(link)}, ${String(method)}`;
    // A disturbed trial is no fault of the estimate, but a wrong bound is.
    t.is(Number(trials) * 2 + Number(unusable), 10, name);
    t.true(Number(trials) > 0, name);
    t.is(insidePercent, 100, name);
  }
});
