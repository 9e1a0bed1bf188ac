import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxTarget } from '../../../agent/collectors/collector.ts';
import { Cgroups } from '../../../agent/sandboxes/cgroup.ts';

const ID = 's0';
const LIMITS = { memoryMib: 256, cpus: 1 };

// Works a little, forty times a second, so that the counters of its cgroup move.
const WORK = `
  console.log('ready');
  let kept = [];
  setInterval(() => {
    kept = Array.from({ length: 2000 }, (_, index) => ({ index }));
  }, 25);
`;

const START_TIMEOUT_MS = 10_000;

/** A cgroup with a process in it that does a little, as a sandbox would. */
export interface SampledCgroup extends AsyncDisposable {
  /** Its network interface is the loopback of a namespace of its own. */
  readonly target: SandboxTarget;
}

/** Makes the cgroup. Returns why that can't be done, if it can't. */
export async function makeSampledCgroup(): Promise<SampledCgroup | string> {
  if (process.getuid?.() !== 0) return 'cgroups and namespaces need root';
  const cgroups = await Cgroups.open({ cgroupName: `bench-${process.pid}` });
  if (cgroups.mode === 'none') return cgroups.reason ?? 'there are no cgroups';
  const words = ['--net', '--', process.execPath, '--eval', WORK];
  const child = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
    // A program that is not there has no exit.
    child.once('error', () => {
      resolve();
    });
  });
  const dispose = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    const leftovers = await cgroups.removeAll();
    if (leftovers.length > 0) throw new Error(`left over: ${leftovers.join('; ')}`);
  };
  try {
    const ready = once(child.stdout, 'data').then(() => true);
    const late = delay(START_TIMEOUT_MS, false, { ref: false });
    if (!(await Promise.race([ready, late, ended.then(() => false)]))) {
      throw new Error('the process to be sampled did not start; is unshare (util-linux) there?');
    }
    await cgroups.create(ID, LIMITS);
    for (const file of cgroups.joinFiles(ID)) await writeFile(file, String(child.pid));
  } catch (error) {
    await dispose();
    throw error;
  }
  const cgroup = cgroups.foldersOf(ID);
  const target = { index: 0, id: ID, cgroup, networkInterface: 'lo' };
  return { target, [Symbol.asyncDispose]: dispose };
}
