import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { Lead } from '../../../coordinator/dispatch/lead.ts';

const MS = 1_000_000n;
const LEAD_MAX_NS = 20_000n * MS;

/** The lead after trials whose slowest go took so long each. */
function leadAfter(neededNs: readonly bigint[], roundTripMaxNs = 0n): bigint {
  const lead = new Lead();
  for (const ns of neededNs) lead.note(500n * MS, [500n * MS - ns], false);
  return lead.next(roundTripMaxNs);
}

test('before anything is known there is time for a fleet of unknown speed', (t) => {
  t.true(leadAfter([]) >= 100n * MS);
  t.true(leadAfter([], 400n * MS) > 3n * 400n * MS);
});

test('a fleet that answers fast gets a shorter lead than at first, a slow one a longer', (t) => {
  t.true(leadAfter([2n * MS]) < leadAfter([]));
  t.true(leadAfter([90n * MS]) > leadAfter([]));
});

test('the slowest device decides', (t) => {
  const slowest = new Lead();
  slowest.note(100n * MS, [98n * MS, 60n * MS, 97n * MS], false);
  t.is(slowest.next(0n), leadAfter([40n * MS]));
});

test('a device that was too late makes the next lead longer than the one that failed', (t) => {
  const lead = new Lead();
  for (let trial = 0; trial < 5; trial += 1) {
    const leadNs = lead.next(0n);
    lead.note(leadNs, [leadNs - MS], true);
    t.true(lead.next(0n) > 2n * leadNs, `trial ${trial}`);
  }
});

test('a trial without an answer teaches nothing', (t) => {
  const lead = new Lead();
  const firstNs = lead.next(0n);
  lead.note(firstNs, [], false);
  t.is(lead.next(0n), firstNs);
});

test('one slow trial is forgotten after some that went well', (t) => {
  const fast = Array.from({ length: 40 }, () => 2n * MS);
  t.is(leadAfter([400n * MS, ...fast]), leadAfter(fast));
  t.true(leadAfter([...fast, 400n * MS]) > leadAfter(fast));
});

test('the lead has room for the slowest go lately, for lost messages, and has limits', (t) => {
  const needs = fc.array(fc.bigInt(0n, 3000n * MS), { minLength: 1, maxLength: 16 });
  fc.assert(
    fc.property(needs, fc.bigInt(0n, 60_000n * MS), (neededNs, roundTripMaxNs) => {
      const nextNs = leadAfter(neededNs, roundTripMaxNs);
      const worstNs = neededNs.reduce((most, ns) => (ns > most ? ns : most));
      assert.ok(nextNs <= LEAD_MAX_NS);
      assert.ok(nextNs > worstNs);
      assert.ok(nextNs >= 3n * roundTripMaxNs || nextNs === LEAD_MAX_NS);
      assert.ok(leadAfter([], roundTripMaxNs) <= LEAD_MAX_NS);
    }),
  );
  t.pass();
});
