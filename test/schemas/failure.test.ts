import test from 'ava';
import { LockstepError } from '../../schemas/errors.ts';
import { Failure, fromFailure, toFailure } from '../../schemas/failure.ts';

test('toFailure keeps code, message and hint of an expected failure', (t) => {
  const error = new LockstepError('TOOL_MISSING', 'runc is missing', { hint: 'Install runc.' });
  t.deepEqual(toFailure(error), {
    code: 'TOOL_MISSING',
    message: 'runc is missing',
    hint: 'Install runc.',
  });
});

test('toFailure leaves the hint out if there is none', (t) => {
  t.deepEqual(Object.keys(toFailure(new LockstepError('CANCELLED', 'by a person'))), [
    'code',
    'message',
  ]);
});

test('toFailure calls any other thrown value INTERNAL', (t) => {
  t.deepEqual(toFailure(new TypeError('x is\n  wrong')), {
    code: 'INTERNAL',
    message: 'x is wrong',
  });
  t.deepEqual(toFailure('text'), { code: 'INTERNAL', message: 'text' });
  t.deepEqual(toFailure(undefined), { code: 'INTERNAL', message: 'undefined' });
});

test('toFailure makes a failure that its schema accepts, however long the message', (t) => {
  const failure = toFailure(new Error('x'.repeat(10_000)));
  t.is(failure.message.length, 4096);
  t.deepEqual(Failure.parse(failure), failure);
});

test('fromFailure is the inverse of toFailure', (t) => {
  for (const failure of [
    { code: 'NO_CELL' as const, message: 'nothing left' },
    { code: 'USAGE' as const, message: 'wrong', hint: 'See --help.' },
  ]) {
    const error = fromFailure(failure);
    t.true(error instanceof LockstepError);
    t.deepEqual(toFailure(error), failure);
  }
});

test('Failure reads a code of a newer release as INTERNAL and keeps the message', (t) => {
  t.deepEqual(Failure.parse({ code: 'FROM_THE_FUTURE', message: 'told' }), {
    code: 'INTERNAL',
    message: 'told',
  });
});
