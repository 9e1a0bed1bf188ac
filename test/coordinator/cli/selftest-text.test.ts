import test from 'ava';
import { partText, progressText, selftestText } from '../../../coordinator/cli/selftest-text.ts';
import { selftestExitCode } from '../../../coordinator/cli/commands/selftest.ts';
import { SelftestReport } from '../../../schemas/selftest.ts';
import type { SelftestSandbox, SelftestTrials } from '../../../schemas/selftest.ts';
import { runCommandLine } from '../../support/command-line.ts';

const SPREAD = { count: 12, median: 64.53, minimum: 42.26, maximum: 127.84 };

const COLD_STARTS: SelftestTrials = {
  ...{ procedure: 'cold-start', function: 'hello-go', instances: 1, result: 'pass' },
  ...{ trials: 12, failed: 0, durationMs: 1500, toReadyMs: SPREAD, toResponseMs: SPREAD },
};

const PASSED: SelftestSandbox = {
  ...{ name: 'runc', result: 'pass', contractMs: 3100, trialsMs: 1500 },
  details: { version: '1.1.5', cgroups: 'v1' },
  checks: [
    { title: 'detect', result: 'pass', durationMs: 20 },
    { title: 'says what it used', result: 'pass', durationMs: 90 },
  ],
  trials: [COLD_STARTS],
};

const FAILED: SelftestSandbox = {
  ...{ name: 'gvisor', result: 'fail', contractMs: 2000, trialsMs: 700 },
  details: { version: '2022', platform: 'ptrace' },
  failure: { code: 'SANDBOX_FAILED', message: 'says what it used: memory 0' },
  checks: [
    { title: 'detect', result: 'pass', durationMs: 20 },
    {
      ...{ title: 'says what it used', result: 'fail', durationMs: 90 },
      message: 'AssertionError: memory 0\n\n  actual 0\n    at Stage.run (file:1:2)\n',
    },
    { title: 'leaves nothing behind', result: 'not-run', durationMs: 0 },
  ],
  trials: [
    COLD_STARTS,
    {
      ...{ procedure: 'burst', function: 'hello-go', instances: 2, result: 'fail' },
      ...{ trials: 1, failed: 1, durationMs: 700 },
      failure: { code: 'FUNCTION_NOT_READY', message: 'not ready within 30000 ms' },
    },
    {
      ...{ procedure: 'warm', function: 'hello-go', instances: 1, result: 'not-run' },
      ...{ trials: 0, failed: 0, durationMs: 0 },
    },
  ],
};

const MISSING: SelftestSandbox = {
  ...{ name: 'osv', result: 'unavailable', contractMs: 10, trialsMs: 0 },
  ...{ details: {}, checks: [], trials: [] },
  failure: { code: 'TOOL_MISSING', message: 'there is no loader', hint: 'Set a variable.' },
};

function reportOf(...sandboxes: SelftestSandbox[]): SelftestReport {
  return SelftestReport.parse({
    ...{ protocol: 1, lockstepVersion: '0.1.0', startedAtUtcMs: 0, durationMs: 61_000 },
    ...{ secondsOfTrials: 60, isolation: 'root', schedulingClass: 'SCHED_FIFO 10' },
    device: {
      ...{ hostname: 'bench', machineId: '', bootId: 'b', timeNamespace: 't' },
      ...{ architecture: 'arm64', model: 'Raspberry Pi 4', cpuModel: 'BCM2711', cpuCount: 4 },
      ...{ memoryBytes: 1e9, kernel: '6.6.1', os: 'Debian 12', cgroup: 'v2', isRoot: true },
      kvm: { isAccessible: true, guestBoots: false, reason: 'it did not end' },
    },
    cgroupReason: 'no memory controller',
    result: 'fail',
    sandboxes,
  });
}

test('the report has a row per kind, and says why some failed or are not there', (t) => {
  const lines = selftestText(reportOf(PASSED, FAILED, MISSING)).split('\n');
  t.deepEqual(lines, [
    'Lockstep 0.1.0 on Raspberry Pi 4, Debian 12',
    '  processor    BCM2711, 4 online',
    '  kernel       6.6.1 arm64',
    '  cgroups      v2 (no memory controller)',
    '  KVM          guests do not boot: it did not end',
    '  runs as      root; namespaces as root; SCHED_FIFO 10',
    '',
    'sandbox  result       version  runs on  checks  trials    cold start ms  least  most',
    'runc     pass         1.1.5             2 of 2  12 of 12  64.5           42.3   127.8',
    'gvisor   fail         2022     ptrace   1 of 3  12 of 13  64.5           42.3   127.8',
    'osv      unavailable',
    '',
    'gvisor: failed',
    '  says what it used: AssertionError: memory 0; actual 0',
    '  trial burst, 1 of 1: not ready within 30000 ms',
    'osv: there is no loader',
    '  Set a variable.',
    '',
    '1 pass, 1 fail, 1 unavailable; it took 1 min 01 s',
  ]);
});

test('what goes on is told in a line each', (t) => {
  const progress = { event: 'progress', sandbox: 'runc', done: 1, total: 3 } as const;
  t.is(
    progressText({ ...progress, part: 'contract', what: 'detect', leftMs: 95_000 }),
    'contract 2/3, about 1 min 35 s left: runc detect',
  );
  const part = { event: 'part', part: 'contract' } as const;
  t.is(partText({ ...part, sandbox: PASSED }), 'runc: checks 2 of 2 passed in 3 s');
  t.is(
    partText({ ...part, sandbox: FAILED }),
    'gvisor: checks 1 of 3 passed in 2 s; failed: says what it used',
  );
  t.is(partText({ ...part, sandbox: MISSING }), 'osv: unavailable: there is no loader');
  t.is(
    partText({ event: 'part', part: 'trials', sandbox: FAILED }),
    'gvisor: trials 12 of 13 in 700 ms',
  );
});

test('the exit code says whether one that is there failed', (t) => {
  const codes = (['pass', 'fail', 'unavailable'] as const).map((result) =>
    selftestExitCode({ result }),
  );
  t.deepEqual(codes, [0, 5, 1]);
});

test('a wrong command line is refused with what would be right', async (t) => {
  for (const [words, expected] of [
    [['--sandboxes', 'process,box'], /'box' is none of process, runc/],
    [['--seconds', 'soon'], /whole number from 0 to 86400/],
  ] as const) {
    const { code, stdout, stderr } = await runCommandLine('selftest', ...words);
    t.is(code, 2);
    t.is(stdout, '');
    t.regex(stderr, expected);
  }
});
