import test from 'ava';
import fc from 'fast-check';
import { SampleBook } from '../../../coordinator/recording/sample-book.ts';
import { makeReport } from '../../support/sample-blocks.ts';

const PART = { trialId: 't1', attempt: 1, deviceId: 'agent-1' };
const never = new AbortController().signal;

test('SampleBook lacks what is announced and not there, in any order of both', (t) => {
  const part = fc.record({
    trialId: fc.constantFrom('t1', 't2', 't3'),
    attempt: fc.constant(1),
    deviceId: fc.constantFrom('a', 'b'),
  });
  const announced = fc.uniqueArray(fc.tuple(part, fc.nat({ max: 4 }), fc.nat({ max: 4 })), {
    selector: ([one]) => JSON.stringify(one),
  });
  const shuffled = announced.chain((parts) => {
    const events = parts.flatMap(([one, blocks, arrived]) => [
      { one, telemetry: makeReport({ blocks }) },
      ...Array.from({ length: Math.min(blocks, arrived) }, () => ({ one, telemetry: undefined })),
    ]);
    const order = fc.shuffledSubarray(events, { minLength: events.length });
    return order.map((inOrder) => ({ parts, inOrder }));
  });
  fc.assert(
    fc.property(shuffled, ({ parts, inOrder }) => {
      const book = new SampleBook();
      for (const { one, telemetry } of inOrder) {
        if (telemetry === undefined) book.noteBlock(one);
        else book.noteResult({ ...one, telemetry });
      }
      const owing = parts.filter(([, blocks, arrived]) => arrived < blocks);
      const blocks = owing.reduce((sum, [, due, arrived]) => sum + due - arrived, 0);
      const { missing } = book;
      return missing.trials === owing.length && missing.blocks === blocks;
    }),
  );
  t.pass();
});

test('SampleBook.complete waits for the last block, and no longer than the timeout', async (t) => {
  const book = new SampleBook();
  t.true(await book.complete(0, never));
  book.noteResult({ ...PART, telemetry: makeReport({ blocks: 2 }) });
  book.noteBlock(PART);
  t.false(await book.complete(1, never));
  const complete = book.complete(10_000, never);
  book.noteBlock(PART);
  t.true(await complete);
});

test('SampleBook.complete ends when the signal aborts', async (t) => {
  const book = new SampleBook();
  book.noteResult({ ...PART, telemetry: makeReport() });
  const stop = new AbortController();
  const complete = book.complete(10_000, stop.signal);
  stop.abort();
  t.false(await complete);
  t.false(await book.complete(10_000, stop.signal));
});

test('SampleBook owes nothing for a trial that was not sampled', (t) => {
  const book = new SampleBook();
  book.noteResult({ ...PART, telemetry: { failure: 'no sampler' } });
  book.noteResult({ ...PART, telemetry: undefined });
  book.noteResult({ ...PART, telemetry: makeReport({ blocks: 0 }) });
  t.deepEqual(book.missing, { trials: 0, blocks: 0 });
});
