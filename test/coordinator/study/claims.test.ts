import test from 'ava';
import { judgeClaims } from '../../../coordinator/study/claims.ts';
import type { JudgedClaim } from '../../../coordinator/study/claims.ts';
import type { MeasuredSuite } from '../../../coordinator/study/measured-suite.ts';
import { constructed, suiteOf } from './constructed-suite.ts';
import type { Constructed } from './constructed-suite.ts';

function claim(suite: MeasuredSuite, id: string): JudgedClaim {
  const found = judgeClaims(suite).find((one) => one.id === id);
  if (found === undefined) throw new Error(`no claim ${id}`);
  return found;
}

const COLD = { kind: 'cold-start' };
const start = (sandbox: string, latency: number, more: Partial<Constructed> = {}): Constructed => ({
  ...{ sandbox, about: { latency } },
  ...more,
});

test('there are twelve claims, and of nothing each says why it is not measurable', (t) => {
  const claims = judgeClaims(suiteOf());
  t.deepEqual(
    claims.map(({ id }) => id),
    Array.from({ length: 12 }, (_, index) => `C${index + 1}`),
  );
  for (const { id, verdict, parts } of claims) {
    t.is(verdict, 'not-measurable', id);
    t.true(parts.length > 0 && parts.every(({ why }) => why.length > 10), id);
  }
});

test('C1 is reproduced by ratios as they were published', (t) => {
  const suite = suiteOf(
    constructed('cold-start', COLD, [
      start('firecracker', 390e6),
      start('nanos-firecracker', 109e6),
      start('osv-firecracker', 110e6),
    ]),
  );
  const { verdict, parts } = claim(suite, 'C1');
  t.is(verdict, 'reproduced');
  t.deepEqual(
    parts.map(({ sandboxes, standIns }) => [...sandboxes, ...standIns]),
    [
      ['nanos-firecracker', 'firecracker'],
      ['osv-firecracker', 'firecracker'],
    ],
  );
  // The same values are none of Node.
  t.is(claim(suite, 'C2').verdict, 'not-measurable');
});

test('one part that is off makes a claim not reproduced, and stand-ins are named', (t) => {
  const suite = suiteOf(
    constructed('cold-start', COLD, [
      start('firecracker', 0, { about: {}, unavailable: 'SANDBOX_UNAVAILABLE: no KVM' }),
      start('microvm', 1500e6, { setUp: 'accelerator tcg' }),
      start('nanos', 420e6),
      start('osv', 1400e6),
    ]),
  );
  const { verdict, parts } = claim(suite, 'C1');
  t.is(verdict, 'not-reproduced');
  t.deepEqual(
    parts.map((part) => part.verdict),
    ['reproduced', 'not-reproduced'],
  );
  const [nanos] = parts;
  t.regex(nanos?.standIns.join('\n') ?? '', /^nanos for nanos: QEMU in place of Firecracker/);
  t.regex(nanos?.standIns.join('\n') ?? '', /microvm for linux: .*\(accelerator tcg\)/);
});

test('a part without a sandbox says which, and why', (t) => {
  const suite = suiteOf(
    constructed('cold-start', COLD, [
      start('microvm', 1500e6),
      start('nanos', 0, { about: {}, unavailable: 'TOOL_MISSING on pi: no kernel.img' }),
    ]),
  );
  const [nanos] = claim(suite, 'C1').parts;
  t.is(nanos?.verdict, 'not-measurable');
  t.regex(nanos?.why ?? '', /nanos unavailable \(TOOL_MISSING on pi: no kernel\.img\)/);
  t.regex(nanos?.why ?? '', /nanos-firecracker is not in cold-start/);
});

test('two machines under one monitor are compared rather than one of each', (t) => {
  const suite = suiteOf(
    constructed('cold-start', COLD, [
      start('firecracker', 390e6),
      start('microvm', 1000e6),
      start('nanos', 280e6),
      start('osv', 281e6),
    ]),
  );
  t.deepEqual(claim(suite, 'C1').parts[0]?.sandboxes, ['nanos', 'microvm']);
});

test('runc alone is no Docker: C4 needs both', (t) => {
  const cells = [start('runc', 100e6), start('runc', 150e6, { function: 'hello-node' })];
  const alone = claim(suiteOf(constructed('cold-start', COLD, cells)), 'C4');
  t.is(alone.verdict, 'not-measurable');
  t.is(alone.parts[0]?.why, 'no values for docker: docker is not in cold-start');
  const both = [
    ...cells,
    start('docker', 299e6),
    start('docker', 361e6, { function: 'hello-node' }),
  ];
  const { verdict, parts } = claim(suiteOf(constructed('cold-start', COLD, both)), 'C4');
  t.is(verdict, 'reproduced');
  t.deepEqual(parts[0]?.standIns, []);
});

test('fewer than five values judge nothing', (t) => {
  const few = [start('runc', 100e6, { n: 4 }), start('docker', 299e6, { n: 4 })];
  const [part] = claim(suiteOf(constructed('cold-start', COLD, few)), 'C4').parts;
  t.is(part?.verdict, 'not-measurable');
  t.regex(part?.why ?? '', /without an interval/);
});

test('C5 is about 100 at once, and nothing less', (t) => {
  const burst = (instances: number): MeasuredSuite =>
    suiteOf(
      constructed('burst', { kind: 'burst' }, [
        start('microvm', 5100e6, { instances }),
        start('nanos', 1000e6, { instances }),
        start('microvm', 1700e6, { instances, function: 'hello-node' }),
        start('nanos', 1000e6, { instances, function: 'hello-node' }),
      ]),
    );
  t.is(claim(burst(100), 'C5').verdict, 'reproduced');
  t.is(claim(burst(5), 'C5').verdict, 'not-measurable');
  t.regex(claim(burst(5), 'C5').parts[0]?.why ?? '', /no 100 sandboxes at once/);
});

const compute = (work: string, n: number) => ({ kind: 'compute', work, n });
const fib = (sandbox: string, time: number): Constructed => ({
  ...{ sandbox, about: { 'first call': time }, n: 101 },
});
const ALL = ['microvm', 'nanos', 'osv', 'docker', 'gvisor'];

test('C8 needs the size of the study, and all five targets', (t) => {
  const suite = (n: number, names: readonly string[]): MeasuredSuite =>
    suiteOf(
      constructed(
        'cpu-fib',
        compute('fib', n),
        names.map((name) => fib(name, 500e6)),
      ),
    );
  const part = (of: MeasuredSuite) => claim(of, 'C8').parts[0];
  t.is(part(suite(1_000_000_000, ALL))?.verdict, 'reproduced');
  t.regex(part(suite(1_000_000, ALL))?.why ?? '', /computes fib of 1000000, the claim is about/);
  t.is(part(suite(1_000_000_000, ALL.slice(1)))?.verdict, 'not-measurable');
  const emulated = suiteOf(
    constructed(
      'cpu-fib',
      compute('fib', 1_000_000_000),
      ALL.map((name) => fib(name, name === 'microvm' ? 5000e6 : 500e6)),
    ),
  );
  t.is(part(emulated)?.verdict, 'not-reproduced');
});

test('C9 divides the first call by the later ones', (t) => {
  const suite = suiteOf(
    constructed('cpu-fft', compute('fft', 1_048_576), [
      { sandbox: 'nanos', about: { 'first work': 65e6, 'later work': 37e6 } },
    ]),
  );
  const { verdict, parts } = claim(suite, 'C9');
  t.is(verdict, 'reproduced');
  t.true(Math.abs((parts[0]?.ratio?.ratio ?? 0) - 65 / 37) < 1e-9);
});

test('C11 is judged only where the limits themselves were tried', (t) => {
  const simple = (connections: number[], found: number[]): MeasuredSuite =>
    suiteOf(
      constructed('network-simple', { kind: 'throughput', connections }, [
        { sandbox: 'nanos', exactly: { 'connection limit': found } },
        { sandbox: 'docker-gvisor', exactly: { 'connection limit': found.map((one) => 4 * one) } },
      ]),
    );
  const five = [128, 128, 128, 128, 128];
  t.is(claim(simple([128, 256, 512, 1024], five), 'C11').verdict, 'reproduced');
  t.is(claim(simple([1, 32], five), 'C11').verdict, 'not-measurable');
  t.is(claim(simple([128, 256, 512, 1024], [64, 64, 64, 64, 64]), 'C11').verdict, 'not-reproduced');
});

test('C6, C7 and C10 are ratios of what was measured', (t) => {
  const two = (quantity: 'available' | 'instructions' | 'bytes at 4', pair: [number, number]) =>
    ['hello-go', 'hello-node'].flatMap((name, index): Constructed[] => [
      { sandbox: 'nanos', function: name, about: { [quantity]: pair[index] } },
      { sandbox: 'osv', function: name, about: { [quantity]: pair[index] } },
      { sandbox: 'microvm', function: name, about: { [quantity]: 100 } },
    ]);
  const suite = suiteOf(
    constructed('idle-memory', { kind: 'idle-memory' }, two('available', [40, 172])),
    constructed('idle-instructions', { kind: 'idle-cpu' }, two('instructions', [15300, 14100])),
    constructed('network-file', { kind: 'throughput' }, [
      { sandbox: 'nanos', function: 'study-go', about: { 'bytes at 4': 10 } },
      { sandbox: 'microvm', function: 'study-go', about: { 'bytes at 4': 130 } },
    ]),
  );
  for (const id of ['C6', 'C7', 'C10']) t.is(claim(suite, id).verdict, 'reproduced', id);
});

test('C12 is never measurable: there is no gateway', (t) => {
  t.regex(claim(suiteOf(), 'C12').parts[0]?.why ?? '', /has no gateway/);
});
