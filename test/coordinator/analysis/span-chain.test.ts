import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { SPANS } from '../../../coordinator/analysis/metrics.ts';
import { finestChain } from '../../../coordinator/analysis/span-chain.ts';
import { PHASES } from '../../../schemas/result.ts';

function chainOf(names: readonly string[]): string[] {
  return finestChain(SPANS.filter(({ span }) => names.includes(span))).map(({ span }) => span);
}

test('finestChain gives a whole up for its parts', (t) => {
  t.deepEqual(
    chainOf(['spawn-gateOpen', 'gateOpen-guestEntry', 'spawn-appMain', 'guestEntry-appMain']),
    ['spawn-gateOpen', 'gateOpen-guestEntry', 'guestEntry-appMain'],
  );
  t.deepEqual(chainOf(['ready-call', 'ready-firstByte', 'call-firstByte']), [
    'ready-call',
    'call-firstByte',
  ]);
});

test('finestChain keeps a whole of which a part is missing', (t) => {
  t.deepEqual(chainOf(['spawn-guestEntry', 'spawn-appMain']), ['spawn-appMain']);
  t.deepEqual(chainOf(['ready-firstByte', 'ready-call']), ['ready-firstByte']);
});

test('finestChain of the stamps of old runs is what they had', (t) => {
  const old = ['request-spawn', 'spawn-appMain', 'appMain-ready', 'ready-firstByte'];
  t.deepEqual(chainOf(old), old);
  t.deepEqual(chainOf([]), []);
});

test('finestChain never overlaps, whatever was seen, and leaves out nothing that would fit', (t) => {
  fc.assert(
    fc.property(fc.subarray([...SPANS]), (seen) => {
      const chain = finestChain(seen);
      const place = ({ from, to }: (typeof SPANS)[number]): [number, number] => [
        PHASES.indexOf(from),
        PHASES.indexOf(to),
      ];
      let end = 0;
      for (const [from, to] of chain.map(place)) {
        assert(from >= end);
        end = to;
      }
      for (const [from, to] of seen.map(place)) {
        assert(chain.map(place).some(([a, b]) => from < b && a < to));
      }
    }),
  );
  t.pass();
});
