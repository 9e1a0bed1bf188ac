import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { checkTitles, tryContract } from '../../../agent/selftest/contract.ts';
import { removeAbandonedPlaces, withPlace } from '../../../agent/selftest/place.ts';
import { Cgroups } from '../../../agent/sandboxes/cgroup.ts';
import { SelftestReport } from '../../../schemas/selftest.ts';
import { builtArtefacts } from '../../functions/running-function.ts';
import { CHECKOUT } from '../../support/nats-server.ts';
import { until } from '../../support/until.ts';

// `lockstep selftest` for real. Each runs in a folder of its own for temporary files, so that what
// it leaves can be told from what others have there.

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Selftest {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

function start(temporary: string, words: string[], variables = {}): Selftest {
  const entry = join(CHECKOUT, 'coordinator/cli/main.ts');
  const child = spawn(process.execPath, [entry, 'selftest', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], TMPDIR: temporary, ...variables },
    timeout: 200_000,
  });
  const code = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const ended = Promise.all([code, text(child.stdout), text(child.stderr)]).then(
    ([exitCode, stdout, stderr]) => ({ code: exitCode, stdout, stderr }),
  );
  return { child, ended };
}

function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-of-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Processes, mounts, cgroups and files of self-tests with this folder for temporary files. */
function whatIsThere(temporary: string): string[] {
  const processes = readdirSync('/proc').flatMap((id) => {
    if (!/^\d+$/.test(id) || id === String(process.pid)) return [];
    const command = readProc(`/proc/${id}/cmdline`).replaceAll('\0', ' ');
    return command.includes(temporary) ? [`process ${id}: ${command.slice(0, 4000)}`] : [];
  });
  const mounts = readProc('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => line.includes(temporary));
  return [...processes, ...mounts, ...readdirSync(temporary), ...cgroupsOf(temporary)];
}

const seenNames = new Map<string, Set<string>>();

/** Cgroups by the names that folders of self-tests had. */
function cgroupsOf(temporary: string): string[] {
  const names = seenNames.get(temporary) ?? new Set();
  seenNames.set(temporary, names);
  for (const entry of readdirSync(temporary)) {
    const name = /^lockstep-(selftest-[\d-]+)-/.exec(entry)?.[1];
    if (name !== undefined) names.add(name);
  }
  return [...names].flatMap((name) =>
    // Others' cgroups may go while it looks, of which find complains.
    spawnSync('find', ['/sys/fs/cgroup', '-path', `*/lockstep/${name}*`, '-type', 'd'])
      .stdout.toString()
      .split('\n')
      .filter(Boolean),
  );
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** Whether a program works for it now in namespaces of its own. */
function isRunning(temporary: string, program: string): boolean {
  return whatIsThere(temporary).some((one) => one.includes(program));
}

const INSIDE = 'agent/selftest/inside.ts';
const RUNNER = 'agent/runner/main.ts';

/** Waits for that; false if the self-test ended before. */
async function beginsToRun(
  temporary: string,
  program: string,
  { ended }: Selftest,
): Promise<boolean> {
  const over = { isTrue: false };
  void ended.then(() => (over.isTrue = true));
  await until(() => over.isTrue || isRunning(temporary, program), program);
  return !over.isTrue;
}

async function reportOf({ ended }: Selftest): Promise<SelftestReport> {
  return SelftestReport.parse(JSON.parse((await ended).stdout));
}

test('it tests what is there, as JSON and into a file, and leaves nothing', async (t) => {
  const temporary = temporaryFolder(t);
  const out = join(temporaryFolder(t), 'report.json');
  const words = ['--sandboxes', 'process,runc', '--seconds', '2', '--json', '--out', out];
  const selftest = start(temporary, words);
  const { code, stderr } = await selftest.ended;
  const report = await reportOf(selftest);
  t.deepEqual(JSON.parse(await readFile(out, 'utf8')), report);
  t.deepEqual(
    report.sandboxes.map(({ name }) => name),
    ['process', 'runc'],
  );
  for (const { name, result, checks, details, failure, trials } of report.sandboxes) {
    if (result === 'unavailable') {
      t.log(`skipped: ${name}: ${failure?.message ?? ''}`);
      t.regex(stderr, new RegExp(`^${name}: unavailable`, 'm'));
      continue;
    }
    t.is(result, 'pass', failure?.message);
    t.deepEqual(
      checks.map(({ title }) => title),
      checkTitles(name),
    );
    t.true(checks.every((check) => check.result === 'pass' && check.durationMs >= 0));
    t.truthy(details['cgroups']);
    const [coldStart] = trials;
    t.like(coldStart, { procedure: 'cold-start', result: 'pass', failed: 0 });
    const { median = 0, minimum = 0, maximum = 0 } = coldStart?.toResponseMs ?? {};
    t.true(minimum > 0 && minimum <= median && median <= maximum);
    t.regex(stderr, new RegExp(`^${name}: checks ${checks.length} of ${checks.length}`, 'm'));
  }
  t.is(code, report.result === 'pass' ? 0 : 1);
  t.truthy(report.device.kernel);
  t.deepEqual(whatIsThere(temporary), []);
});

test('a kind that is not there does not count, and its remedy is told', async (t) => {
  const temporary = temporaryFolder(t);
  const words = ['--sandboxes', 'firecracker,process', '--seconds', '0', '--json'];
  const selftest = start(temporary, words, { LOCKSTEP_FIRECRACKER: join(temporary, 'absent') });
  const { sandboxes, result } = await reportOf(selftest);
  const [firecracker, first] = sandboxes;
  t.like(firecracker, { name: 'firecracker', result: 'unavailable', checks: [], trials: [] });
  t.truthy(firecracker?.failure?.message);
  t.truthy(firecracker?.failure?.hint);
  t.is(result, first!.result);
  t.is((await selftest.ended).code, result === 'pass' ? 0 : 1);
});

test('without anything to test with it says what to do', async (t) => {
  const temporary = temporaryFolder(t);
  const cache = join(temporaryFolder(t), 'cache');
  await mkdir(cache);
  const words = ['--sandboxes', 'process', '--seconds', '0'];
  const { code, stdout } = await start(temporary, words, { LOCKSTEP_CACHE: cache }).ended;
  t.is(code, 1);
  t.regex(stdout, /^process +unavailable$/m);
  t.regex(stdout, /npm run setup|namespaces/);
});

for (const [part, program] of [
  ['checks', INSIDE],
  ['trials', RUNNER],
] as const) {
  test(`Ctrl-C in the middle of the ${part} leaves nothing, and the next one works`, async (t) => {
    const temporary = temporaryFolder(t);
    const selftest = start(temporary, ['--sandboxes', 'process', '--seconds', '100']);
    const { child, ended } = selftest;
    if (!(await beginsToRun(temporary, program, selftest))) {
      t.log(`skipped: ${(await ended).stdout}`);
      t.pass();
      return;
    }
    t.true(whatIsThere(temporary).some((one) => one.startsWith('lockstep-selftest-')));
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    t.is(code, 130);
    t.is(stdout, '');
    t.regex(stderr, /SIGINT: ending in good order/);
    t.deepEqual(whatIsThere(temporary), []);

    const next = start(temporary, ['--sandboxes', 'process', '--seconds', '0']);
    t.is((await next.ended).code, 0);
    t.deepEqual(whatIsThere(temporary), []);
  });
}

test('when the command is killed, the testing process ends in order', async (t) => {
  const temporary = temporaryFolder(t);
  const selftest = start(temporary, ['--sandboxes', 'process', '--seconds', '100']);
  await beginsToRun(temporary, RUNNER, selftest);
  selftest.child.kill('SIGKILL');
  await until(() => whatIsThere(temporary).length === 0, 'the end of everything');
  t.pass();
});

test.serial('what a killed one has left is removed, and what lives is left alone', async (t) => {
  await withPlace(builtArtefacts.folder, async ({ cgroupName, scratchFolder }) => {
    const living = await Cgroups.open({ cgroupName });
    await living.create('s0', { memoryMib: 64, cpus: 1 });
    const abandonedName = cgroupName.replace(/-\d+$/, '-1');
    const abandoned = await Cgroups.open({ cgroupName: abandonedName });
    await abandoned.create('s0', { memoryMib: 64, cpus: 1 });
    const folder = join(tmpdir(), `lockstep-${abandonedName}-abcdef`);
    await mkdir(join(folder, 'scratch'), { recursive: true });
    await removeAbandonedPlaces();
    t.false(readdirSync(tmpdir()).includes(`lockstep-${abandonedName}-abcdef`));
    t.deepEqual(readdirSync(scratchFolder), []);
    const find = (name: string): string =>
      spawnSync('find', ['/sys/fs/cgroup', '-path', `*/lockstep/${name}/s0`]).stdout.toString();
    t.is(find(abandonedName), '');
    t.is(find(cgroupName) === '', living.mode === 'none');
  });
});

test('a driver that hangs is cut off, and fails by the name of the check', async (t) => {
  await withPlace(builtArtefacts.folder, async (place) => {
    const { checks, unavailable } = await tryContract('process', place, {
      program: join(import.meta.dirname, 'hanging-inside.ts'),
      checkTimeoutMs: 4000,
      log: t.log,
    });
    if (unavailable !== undefined) {
      t.log(`skipped: ${unavailable.message}`);
      t.pass();
      return;
    }
    const [detect, first, ...others] = checks;
    t.is(detect?.result, 'pass');
    t.like(first, { title: checkTitles('process')[1], result: 'fail' });
    t.is(first?.message, 'it was cut off: it did not end within 4 s');
    t.true(others.every(({ result }) => result === 'not-run'));
    const left = spawnSync('find', ['/sys/fs/cgroup', '-path', `*/lockstep/${place.cgroupName}`]);
    t.is(left.stdout.toString(), '');
  });
});
