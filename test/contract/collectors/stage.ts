import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxTarget } from '../../../agent/collectors/collector.ts';
import { Cgroups } from '../../../agent/sandboxes/cgroup.ts';

const REMOVAL_ATTEMPTS = 1000;
const LIMITS = { memoryMib: 64, cpus: 1 };

// In a network namespace of its own it sends to itself, forks, and uses memory and processor time.
const LOAD =
  'for f in "$@"; do echo $$ >"$f" || exit 1; done; exec unshare --net /bin/bash -c \'' +
  'ip link set lo up; echo up; while :; do echo x >/dev/udp/127.0.0.1/9; x=$(printf %300000s y); ' +
  "done 2>/dev/null'";

/** A real control group with a process in it that uses everything that is counted. */
export interface Stage {
  readonly target: SandboxTarget;
  /** Ends the process, so that the group is empty. */
  readonly end: () => Promise<void>;
  /** Ends the process and removes the group. Throws if something is left. */
  readonly remove: () => Promise<void>;
}

/** Sets it up. Without control groups the target says why. */
export async function setStage(name: string): Promise<Stage> {
  const cgroups = await Cgroups.open({ cgroupName: `contract-${process.pid}-${name}` });
  let child: ChildProcess | undefined;
  const end = async (): Promise<void> => {
    if (child === undefined) return;
    const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : 0;
    await cgroups.killAll('s0');
    await exited;
    child = undefined;
  };
  const remove = async (): Promise<void> => {
    await end();
    assert.deepEqual(await cgroups.removeAll(), []);
  };
  await cgroups.create('s0', LIMITS);
  if (cgroups.mode !== 'none') {
    const words = ['-c', LOAD, 'load', ...cgroups.joinFiles('s0')];
    const started = spawn('/bin/bash', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    child = started;
    await once(started.stdout, 'data');
  }
  const cgroup = cgroups.foldersOf('s0');
  return { target: { index: 0, id: 's0', cgroup, networkInterface: 'lo' }, end, remove };
}

/** A group of version 2 with two processes that fight for one processor. */
export interface CrowdedGroup {
  readonly folder: string;
  readonly remove: () => Promise<void>;
}

/** Makes one in the hierarchy of version 2 that is mounted; undefined if there is none to use. */
export async function crowdGroup(): Promise<CrowdedGroup | undefined> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const mount = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(mounts)?.[1];
  if (mount === undefined) return undefined;
  const folder = join(mount, `lockstep-contract-${process.pid}`);
  try {
    mkdirSync(folder);
  } catch {
    return undefined;
  }
  const script = 'echo $$ >"$1" && { while :; do :; done & echo up; while :; do :; done; }';
  const words = ['-c', '0', '/bin/sh', '-c', script, 'crowd', join(folder, 'cgroup.procs')];
  const child = spawn('taskset', words, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const exited = once(child, 'exit');
  const remove = async (): Promise<void> => {
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await exited;
    for (let attempt = 0; existsSync(folder) && attempt < REMOVAL_ATTEMPTS; attempt += 1) {
      try {
        rmdirSync(folder);
      } catch {
        // The second process takes a moment to be gone.
        await delay(2);
      }
    }
    assert.equal(existsSync(folder), false);
  };
  await once(child.stdout, 'data');
  return { folder, remove };
}
