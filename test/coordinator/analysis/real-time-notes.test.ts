import test from 'ava';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import type { Note } from '../../../coordinator/analysis/run-summary.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixtureOptions } from '../../support/run-fixture.ts';

function notesOf(options: RunFixtureOptions, latenessNsOf = (id: string) => Number(id.slice(6))) {
  const { run, plan, results } = makeRun({ repetitions: 2, ...options });
  const late = results.map((result) => {
    const latenessNs = BigInt(latenessNsOf(result.deviceId));
    return { ...result, start: { ...result.start!, latenessNs } };
  });
  return summarise(run, plan, late).notes;
}

function find(notes: readonly Note[]): Note | undefined {
  return notes.find(({ code }) => code === 'no-real-time');
}

test('a note tells what ordinary scheduling cost, beside the starts that had better', (t) => {
  const note = find(
    notesOf({ agentsPerHost: [3], ordinary: 1 }, (id) => (id === 'agent-3' ? 2_000_000 : 10_000)),
  );
  t.is(
    note?.message,
    '1 device measured without real-time scheduling (agent-3): its starts were 2.00 ms late at ' +
      'p95 (16 starts); those with it 0.010 ms (32 starts). Reason: no real-time scheduling: not ' +
      'permitted.',
  );
  t.regex(note?.remedy ?? '', /or take it from all/);
});

test('a note on ordinary scheduling compares with nothing where no start had better', (t) => {
  const note = find(notesOf({ agentsPerHost: [1, 1], ordinary: 2 }));
  t.regex(
    note?.message ?? '',
    /^2 devices .*\(agent-1, agent-2\): their starts .* \(32 starts\)\. /,
  );
  t.notRegex(note?.message ?? '', /those with it/);
});

test('a note on ordinary scheduling names a few devices of many', (t) => {
  const note = find(notesOf({ agentsPerHost: [9], ordinary: 9, repetitions: 1 }));
  t.regex(note?.message ?? '', /agent-6 and 3 more\)/);
});

test('a note on ordinary scheduling is not there where all had real-time scheduling', (t) => {
  t.is(find(notesOf({})), undefined);
});

test('classes that differ are noted once, with the reason if there is one', (t) => {
  const codes = notesOf({ agentsPerHost: [2], ordinary: 1 }).map(({ code }) => code);
  t.true(codes.includes('no-real-time'));
  t.false(codes.includes('mixed-conditions'));
});
