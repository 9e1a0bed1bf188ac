import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { DaemonProcess } from '../../../agent/sandboxes/daemon-process.ts';
import type { DriverContext } from '../../../agent/sandboxes/driver.ts';
import { Cgroups } from '../../../agent/sandboxes/cgroup.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { toFailure } from '../../../schemas/failure.ts';
import { Stage, awaitFrom, awaitReady, call } from '../../../agent/selftest/stage.ts';
import type { StageSetUp } from '../../../agent/selftest/stage.ts';

// What a driver with a daemon does when the daemon ends while a sandbox runs, when it never serves,
// and when it is not installed. Each step is reported as a JSON line. The daemon's first process is
// the one that is killed, and podman's only one.

const setUp = JSON.parse(process.argv[2] ?? '{}') as StageSetUp;

const PROGRAMS: Readonly<Record<string, { daemon: string; file: string }>> = {
  docker: { daemon: 'dockerd', file: 'dockerd' },
  podman: { daemon: 'sleep', file: 'podman' },
  containerd: { daemon: 'containerd', file: 'containerd' },
};
const { daemon, file } = PROGRAMS[setUp.sandbox]!;
const GROUP = `daemon-${setUp.sandbox}`;

async function report(title: string, run: () => Promise<void>): Promise<void> {
  let line: Record<string, unknown> = { title, ok: true };
  try {
    await run();
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    line = { title, ok: false, message };
  }
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function daemonProcesses({ cgroups }: DriverContext): number[] {
  return cgroups
    .processIds(GROUP)
    .filter((id) => readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0')[0] === daemon);
}

/** Waits until the cgroup of the daemon has no process. */
async function assertAllEnded({ cgroups }: DriverContext): Promise<void> {
  for (let left = 200; left > 0 && cgroups.processIds(GROUP).length > 0; left -= 1) await delay(10);
  assert.deepEqual(cgroups.processIds(GROUP), []);
}

async function endsWhileASandboxRuns(stage: Stage): Promise<void> {
  await stage.withActors(1, stage.setUp.hello, async ([actor]) => {
    actor!.sandbox.start();
    await awaitReady(actor!);
    const [first, ...more] = daemonProcesses(stage.context);
    assert.ok(first !== undefined && more.length === 0, 'there is one daemon');
    process.kill(first, 'SIGKILL');
    await assertAllEnded(stage.context);
    // Podman is not needed by what runs.
    if (setUp.sandbox === 'podman') assert.equal((await call(actor!)).status, 200);
    else assert.ok((await awaitFrom(actor!, 'end', actor!.exit)).length > 0);
  });
}

/** One that hangs is ended when it does not remove a sandbox in time. */
async function hangsWhileASandboxRuns(stage: Stage): Promise<void> {
  if (setUp.sandbox === 'podman') return;
  await stage.withActors(1, stage.setUp.hello, async ([actor]) => {
    actor!.sandbox.start();
    await awaitReady(actor!);
    for (const id of daemonProcesses(stage.context)) process.kill(id, 'SIGSTOP');
  });
  await assertAllEnded(stage.context);
}

async function isStartedAgain(stage: Stage): Promise<void> {
  await stage.withActors(2, stage.setUp.hello, async (actors) => {
    for (const { sandbox } of actors) sandbox.start();
    await Promise.all(actors.map((actor) => awaitReady(actor)));
    assert.equal(daemonProcesses(stage.context).length, 1);
  });
}

async function neverServes(stage: Stage): Promise<void> {
  const { cgroups } = stage.context;
  const options = {
    name: 'silent',
    command: ['sh', '-c', 'echo it has nothing to say; exec sleep 60'],
    files: [],
    check: () => Promise.reject(new Error('no socket')),
    readyTimeoutMs: 500,
  };
  await assert.rejects(DaemonProcess.start(stage.context, options), (error) => {
    assert.ok(error instanceof LockstepError);
    assert.equal(error.code, 'SANDBOX_UNAVAILABLE');
    assert.match(error.message, /did not serve within 500 ms; no socket; .*nothing to say/);
    return true;
  });
  assert.deepEqual(cgroups.processIds('daemon-silent'), []);
}

async function isNotInstalled(stage: Stage): Promise<void> {
  // In this mount namespace the program can't be executed.
  const path = execFileSync('which', [file], { encoding: 'utf8' }).trim();
  execFileSync('mount', ['--bind', '/dev/null', path]);
  try {
    // Another runner has another daemon.
    const cgroups = await Cgroups.open({ cgroupName: setUp.cgroupName });
    await assert.rejects(stage.driver.detect({ ...stage.context, cgroups }), (error) => {
      assert.ok(error instanceof LockstepError);
      assert.equal(error.code, 'TOOL_MISSING');
      assert.match(error.hint ?? '', /apt-get install/);
      return true;
    });
  } finally {
    execFileSync('umount', [path]);
  }
}

async function main(): Promise<void> {
  const stage = await Stage.open(setUp);
  try {
    await stage.driver.detect(stage.context);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ skipped: toFailure(error).message })}\n`);
    await stage.close();
    return;
  }
  await report('a sandbox whose daemon ends', () => endsWhileASandboxRuns(stage));
  await report('the next sandbox', () => isStartedAgain(stage));
  await report('a daemon that hangs', () => hangsWhileASandboxRuns(stage));
  await report('the sandbox after that', () => isStartedAgain(stage));
  await report('a daemon that never serves', () => neverServes(stage));
  await report('a daemon that is not installed', () => isNotInstalled(stage));
  await stage.slots.destroy();
  await stage.context.cgroups.removeAll();
  await stage.close();
}

await main();
