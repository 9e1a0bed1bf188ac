import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { detectIsolation, isolationCommand } from '../../../agent/runner/namespaces.ts';

// Starts real namespaces with a marked sleeper in them, ends one layer of it, and looks whether
// anything that carries the mark, or a mount of the scratch folder, is left.

interface Started {
  readonly child: ChildProcess;
  readonly scratchFolder: string;
  /** Ids of all processes with the mark, as the device sees them. */
  marked(): number[];
}

const DEADLINE_MS = 10_000;

async function start(
  t: ExecutionContext,
  script: string,
  wrap: (argv: string[]) => string[] = (argv) => argv,
): Promise<Started | undefined> {
  const isolation = await detectIsolation();
  if (isolation.mode === 'none') {
    t.log(`skipped: ${isolation.failure.message}`);
    t.pass();
    return undefined;
  }
  const scratchFolder = await mkdtemp(join(tmpdir(), 'lockstep-namespaces-'));
  const command = ['/bin/sh', '-c', script, 'inner', scratchFolder];
  const [program = '', ...words] = wrap(
    isolationCommand({ scratchFolder, command, mode: isolation.mode }),
  );
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(async () => {
    child.kill('SIGKILL');
    await rm(scratchFolder, { recursive: true, force: true });
  });
  return { child, scratchFolder, marked: () => markedBy(scratchFolder) };
}

// The path of the scratch folder is in the command line of every layer.
function markedBy(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => readOr(`/proc/${name}/cmdline`, '').includes(mark))
    .map(Number);
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}

async function becomesTrue(claim: () => boolean): Promise<boolean> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!claim()) {
    if (performance.now() > deadline) return false;
    await delay(10);
  }
  return true;
}

const SLEEPER =
  'touch "$1/file"; (sleep 600; : "$1") & (exec setsid sh -c "sleep 601; : $1") & echo up; wait';

async function assertNothingLeft(t: ExecutionContext, started: Started): Promise<void> {
  t.true(await becomesTrue(() => started.marked().length === 0), 'a process is left');
  t.false(readFileSync('/proc/self/mountinfo', 'utf8').includes(started.scratchFolder));
  t.deepEqual(await readdir(started.scratchFolder), []);
}

/** Id of the process with that number in the innermost pid namespace of those marked. */
function innerProcess(started: Started, number: number): number | undefined {
  return started.marked().find((id) => {
    const numbers = /^NSpid:\s*(.*)$/m.exec(readOr(`/proc/${id}/status`, ''))?.[1]?.split('\t');
    return numbers !== undefined && numbers.length > 1 && numbers.at(-1) === String(number);
  });
}

const killLayer = test.macro(async (t, choose: (started: Started) => number | undefined) => {
  const started = await start(t, SLEEPER);
  if (started === undefined) return;
  await once(started.child.stdout!, 'data');
  // A process in the middle of exec shows no command line.
  t.true(await becomesTrue(() => started.marked().length >= 5), 'a layer is missing');
  const victim = choose(started);
  t.truthy(victim);
  process.kill(victim!, 'SIGKILL');
  await assertNothingLeft(t, started);
});

test('namespaces end when unshare is killed', killLayer, ({ child }) => child.pid);
test('namespaces end when their first process is killed', killLayer, (started) =>
  innerProcess(started, 1),
);
test(
  'namespaces end when the command is killed',
  killLayer,
  (started) =>
    // The commands that prepare the namespaces took the numbers between.
    started
      .marked()
      .filter((id) => id !== started.child.pid && id !== innerProcess(started, 1))
      .sort((a, b) => a - b)[0],
);

test('namespaces end when the process that started them is killed', async (t) => {
  // The program in between stands for the agent. It waits, so it does not become the command.
  const started = await start(t, SLEEPER, (argv) => ['/bin/sh', '-c', '"$@"; :', 'agent', ...argv]);
  if (started === undefined) return;
  await once(started.child.stdout!, 'data');
  process.kill(started.child.pid!, 'SIGKILL');
  await assertNothingLeft(t, started);
});

test('isolationCommand passes standard input, output and the exit code on', async (t) => {
  const started = await start(t, 'read -r line; echo "got $line"; exit 7');
  if (started === undefined) return;
  started.child.stdin!.end('a line\n');
  let output = '';
  started.child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(started.child, 'close')) as [number];
  t.is(output, 'got a line\n');
  t.is(code, 7);
});

test('isolationCommand gives a network of its own with a working lo only', async (t) => {
  const started = await start(
    t,
    'ip -j link; readlink /proc/self/ns/net; echo "$LOCKSTEP_HOST_NETNS"',
  );
  if (started === undefined) return;
  let output = '';
  started.child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(started.child, 'close');
  const [links = '', inner, host] = output.trim().split('\n');
  const interfaces = JSON.parse(links) as { ifname: string; flags: string[] }[];
  t.deepEqual(
    interfaces.map(({ ifname }) => ifname),
    ['lo'],
  );
  t.true(interfaces[0]!.flags.includes('UP'));
  t.not(inner, host);
  t.is(host, execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }).trim());
});

test('the first process reaps orphans while the command runs', async (t) => {
  // The orphan's parent ends first; without a reaper it would stay a zombie as long as the command.
  const script = `
    (sh -c 'sleep 0.1 & echo $!' ) >"$1/orphan"
    read -r id <"$1/orphan"
    i=0
    while [ -e "/proc/$id" ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i + 1)); done
    [ -e "/proc/$id" ] && echo zombie || echo reaped after $((i * 50)) ms`;
  const started = await start(t, script);
  if (started === undefined) return;
  let output = '';
  started.child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(started.child, 'close');
  t.regex(output, /^reaped/);
  t.log(output.trim());
});

test('isolationCommand hides what was in the scratch folder', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-namespaces-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'outside'), '');
  const isolation = await detectIsolation();
  if (isolation.mode === 'none') {
    t.log(`skipped: ${isolation.failure.message}`);
    t.pass();
    return;
  }
  const [program = '', ...words] = isolationCommand({
    scratchFolder: folder,
    command: ['ls', folder],
    mode: isolation.mode,
  });
  t.is(execFileSync(program, words, { encoding: 'utf8' }), '');
  t.deepEqual(await readdir(folder), ['outside']);
});
