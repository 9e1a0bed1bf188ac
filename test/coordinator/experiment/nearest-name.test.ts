import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import {
  countEdits,
  nearestName,
  nearestNameHint,
} from '../../../coordinator/experiment/nearest-name.ts';

const KNOWN = ['process', 'runc', 'gvisor', 'microvm'];

test('nearestName finds a word with a letter too many, too few, wrong or swapped', (t) => {
  t.is(nearestName('gvisorr', KNOWN), 'gvisor');
  t.is(nearestName('gvsor', KNOWN), 'gvisor');
  t.is(nearestName('gvizor', KNOWN), 'gvisor');
  t.is(nearestName('gviosr', KNOWN), 'gvisor');
});

test('nearestName does not mind the case', (t) => {
  t.is(nearestName('RunC', KNOWN), 'runc');
});

test('nearestName finds nothing for a word that is far from all', (t) => {
  t.is(nearestName('docker', KNOWN), undefined);
  t.is(nearestName('x'.repeat(100_000), KNOWN), undefined);
  t.is(nearestName('', KNOWN), undefined);
});

test('nearestNameHint says so if nothing is known', (t) => {
  t.is(nearestNameHint('a', []), 'There are none.');
});

test('countEdits counts known cases', (t) => {
  t.is(countEdits('kitten', 'sitting'), 3);
  t.is(countEdits('ab', 'ba'), 1);
  t.is(countEdits('', 'abc'), 3);
});

test('countEdits is 0 only for equal texts, the same both ways, and bounded', (t) => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const edits = countEdits(a, b);
      assert.equal(edits, countEdits(b, a));
      assert.equal(edits === 0, a === b);
      assert.ok(edits >= Math.abs(a.length - b.length));
      assert.ok(edits <= Math.max(a.length, b.length));
    }),
  );
  t.pass();
});
