import test from 'ava';
import { TrialBook } from '../../../coordinator/dispatch/trial-book.ts';
import { makeRun } from '../../support/run-fixture.ts';

const LONG_MS = 60_000;
const never = new AbortController().signal;
const [first, second, third] = makeRun({ sandboxes: ['process'], repetitions: 1 }).results;
const deviceIds = ['agent-1', 'agent-2', 'agent-3'];

test('TrialBook is complete once every device has reported', async (t) => {
  const book = new TrialBook(deviceIds);
  let isComplete = false;
  const complete = book.complete(LONG_MS, never).then(() => (isComplete = true));
  book.note(second!);
  book.note(first!);
  t.deepEqual(book.owing, ['agent-3']);
  await new Promise((resolve) => setImmediate(resolve));
  t.false(isComplete);
  book.note(third!);
  await complete;
  t.deepEqual(book.owing, []);
  t.deepEqual(book.results, [second, first, third]);
});

test('TrialBook is complete at once if no device owes anything', async (t) => {
  const book = new TrialBook([]);
  await book.complete(LONG_MS, never);
  t.deepEqual(book.results, []);
});

test('TrialBook that was complete before somebody waits does not let him wait', async (t) => {
  const book = new TrialBook(['agent-1']);
  book.note(first!);
  await book.complete(LONG_MS, never);
  t.deepEqual(book.owing, []);
});

test("TrialBook lets a device's later result replace its earlier one", (t) => {
  const book = new TrialBook(deviceIds);
  book.note({ ...first!, reportedBy: 'coordinator', status: 'failed' });
  book.note(first!);
  t.deepEqual(book.results, [first]);
  t.deepEqual(book.owing, ['agent-2', 'agent-3']);
});

test('TrialBook stops waiting when the time is over, and knows who owes', async (t) => {
  const book = new TrialBook(deviceIds);
  book.note(first!);
  await book.complete(20, never);
  t.deepEqual(book.owing, ['agent-2', 'agent-3']);
});

test('TrialBook stops waiting when it is cancelled, before or meanwhile', async (t) => {
  const book = new TrialBook(deviceIds);
  await book.complete(LONG_MS, AbortSignal.abort());
  const abort = new AbortController();
  const waiting = book.complete(LONG_MS, abort.signal);
  abort.abort();
  await waiting;
  t.deepEqual(book.owing, deviceIds);
});
