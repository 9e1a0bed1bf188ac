import test from 'ava';
import { areCold, describeColdness } from '../../../agent/conditions/coldness.ts';
import type { Instance } from '../../../schemas/result.ts';

function instance(appMain: bigint | undefined, status: Instance['status'] = 'ok'): Instance {
  const phases = { request: 100n, ...(appMain === undefined ? {} : { appMain }) };
  return { index: 0, address: '', status, phases };
}

test('a start is cold if the function began after the request', (t) => {
  t.true(areCold([instance(101n), instance(200n)]));
  t.is(describeColdness([instance(101n)]), 'the function began after the request in 1 of 1');
});

test('a function that had begun before, or was not seen to begin, is told', (t) => {
  const mixed = [instance(101n), instance(99n), instance(undefined)];
  t.false(areCold(mixed));
  t.is(
    describeColdness(mixed),
    'the function began after the request in 1 of 3; it had begun before in 1; ' +
      'it was not seen to begin in 1',
  );
});

test('only those that answered are looked at', (t) => {
  t.true(areCold([instance(undefined, 'failed'), instance(101n)]));
});
