import test from 'ava';
import fc from 'fast-check';
import { MissedSequences } from '../../bus/missed-sequences.ts';

test('MissedSequences counts what the stream dropped, whatever comes late or twice', (t) => {
  const messages = fc.array(fc.constantFrom('dropped', 'late', 'in time'), { maxLength: 60 });
  fc.assert(
    fc.property(fc.nat({ max: 20 }), messages, fc.boolean(), (given, fates, looksEarly) => {
      const sequences = new MissedSequences({ givenSequence: given, unacknowledged: 0 });
      const of = (fate: string): number[] =>
        fates.flatMap((each, index) => (each === fate ? [given + 1 + index] : []));
      for (const sequence of of('in time')) sequences.note(sequence);
      // Nothing is missed for sure while the stream still begins before it.
      if (looksEarly) sequences.settle(given + 1);
      if (sequences.missed !== 0) return false;
      for (const sequence of of('late').reverse()) sequences.note(sequence);
      const end = given + fates.length + 1;
      sequences.note(end);
      sequences.settle(end + 1);
      return sequences.missed === of('dropped').length;
    }),
  );
  t.pass();
});

test('MissedSequences waits for what an earlier process was given', (t) => {
  const sequences = new MissedSequences({ givenSequence: 10, unacknowledged: 3 });
  t.is(sequences.owed, 3);
  t.true(sequences.isOwed(10));
  t.false(sequences.isOwed(11));
  sequences.note(9);
  t.is(sequences.owed, 2);
  sequences.note(11);
  sequences.settle(10);
  t.is(sequences.missed, 0);
  sequences.settle(12);
  t.is(sequences.missed, 2);
  t.is(sequences.owed, 0);
});
