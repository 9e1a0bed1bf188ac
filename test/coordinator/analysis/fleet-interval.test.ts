import test from 'ava';
import { fleetInterval } from '../../../coordinator/analysis/fleet-interval.ts';
import { hostRatio } from '../../../coordinator/analysis/host-ratio.ts';
import { FastRandom } from '../../../coordinator/analysis/statistics/fast-random.ts';
import { ratioCaution } from '../../../coordinator/analysis/statistics/interval-trust.ts';

interface Value {
  readonly host: string;
  readonly valueNs: number;
}

/** Values on hosts that differ by 10 %. */
function valuesOn(hosts: readonly string[], seed: number, perHost = 20): Value[] {
  const random = new FastRandom(seed);
  return hosts.flatMap((host) => {
    const speed = 100 * Math.exp(0.1 * random.nextNormal());
    return Array.from({ length: perHost }, () => ({
      host,
      valueNs: speed * Math.exp(0.02 * random.nextNormal()),
    }));
  });
}

const SIX = ['a', 'b', 'c', 'd', 'e', 'f'];

test('fleetInterval refuses one host, flags few, and is silent about enough', (t) => {
  const one = fleetInterval(valuesOn(['a'], 1));
  t.is(one?.interval, undefined);
  t.is(one?.hosts, 1);
  t.regex(one?.caution ?? '', /one host says nothing/);
  const two = fleetInterval(valuesOn(['a', 'b'], 1));
  t.not(two?.interval, undefined);
  t.regex(two?.caution ?? '', /only 2 hosts/);
  const six = fleetInterval(valuesOn(SIX, 1));
  t.is(six?.caution, undefined);
  t.true(six!.interval!.lower < six!.estimateNs && six!.estimateNs < six!.interval!.upper);
  t.is(fleetInterval([]), undefined);
});

test('fleetInterval flags many hosts with few values each, and not with many', (t) => {
  const hosts = Array.from({ length: 20 }, (_, index) => `host-${index}`);
  t.regex(fleetInterval(valuesOn(hosts, 1, 10))?.caution ?? '', /as few as 10 values/);
  t.is(fleetInterval(valuesOn(hosts, 1, 50))?.caution, undefined);
});

test('fleetInterval does not narrow when a host gives more values', (t) => {
  const some = valuesOn(SIX, 2);
  t.deepEqual(fleetInterval([...some, ...some, ...some]), fleetInterval(some));
});

test('fleetInterval of values below 0 is that of their mean', (t) => {
  const values = [-3, -1, 2, 4, 5].map((valueNs, index) => ({ host: SIX[index]!, valueNs }));
  const found = fleetInterval(values);
  t.is(found?.estimateNs, 1.4);
  t.true(found!.interval!.lower < -1 && found!.interval!.upper > 3);
});

test('hostRatio pairs hosts that are on both sides, so that their speed drops out', (t) => {
  const before = valuesOn(SIX, 3);
  const after = before.map(({ host, valueNs }, index) => ({
    host,
    valueNs: valueNs * (index % 2 === 0 ? 1.19 : 1.21),
  }));
  const paired = hostRatio(before, after, { seed: 1 });
  t.is(paired?.basis, 'hosts-paired');
  t.deepEqual(paired?.units, [6, 6]);
  t.true(Math.abs(paired!.ratio - 1.2) < 0.01);
  const renamed = after.map(({ host, valueNs }) => ({ host: `${host}2`, valueNs }));
  const unpaired = hostRatio(before, renamed, { seed: 1 });
  t.is(unpaired?.basis, 'hosts');
  const width = (one: typeof paired) => one!.interval!.upper - one!.interval!.lower;
  t.true(width(unpaired) > 3 * width(paired), `${width(unpaired)} ${width(paired)}`);
});

test('hostRatio of one host on a side and several on the other has no interval', (t) => {
  const found = hostRatio(valuesOn(['z'], 4), valuesOn(SIX, 5), { seed: 1 });
  t.is(found?.interval, undefined);
  t.regex(ratioCaution(found!) ?? '', /no interval/);
  t.true(Math.abs((found?.ratio ?? 0) - 1) < 0.3);
});

test('hostRatio within one host rests on trials, and few hosts are flagged', (t) => {
  const within = hostRatio(valuesOn(['a'], 6), valuesOn(['a'], 7), { seed: 1 });
  t.is(within?.basis, 'trials');
  t.is(ratioCaution(within!), undefined);
  const three = hostRatio(valuesOn(['a', 'b', 'c'], 8), valuesOn(['a', 'b', 'c'], 9), { seed: 1 });
  t.regex(ratioCaution(three!) ?? '', /only 3 hosts/);
});

test('hostRatio takes values that repeat on a host for no more than the host', (t) => {
  const [before, after] = [valuesOn(SIX, 10), valuesOn(SIX, 11)];
  const often = hostRatio([...before, ...before], [...after, ...after], { seed: 1 });
  t.deepEqual(often, hostRatio(before, after, { seed: 1 }));
});
