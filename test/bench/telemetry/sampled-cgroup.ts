import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { SandboxTarget } from '../../../agent/collectors/collector.ts';
import { Cgroups } from '../../../agent/sandboxes/cgroup.ts';

const ID = 's0';
const LIMITS = { memoryMib: 256, cpus: 1 };

// Works a little, forty times a second, so that the counters of its cgroup move.
const WORK = `
  let kept = [];
  setInterval(() => {
    kept = Array.from({ length: 2000 }, (_, index) => ({ index }));
  }, 25);
`;

/** A cgroup with a process in it that does a little, as a sandbox would. */
export interface SampledCgroup extends AsyncDisposable {
  readonly target: SandboxTarget;
}

/** Makes the cgroup. Returns why that can't be done, if it can't. */
export async function makeSampledCgroup(): Promise<SampledCgroup | string> {
  const cgroups = await Cgroups.open({ cgroupName: `bench-${process.pid}` });
  if (cgroups.mode === 'none') return cgroups.reason ?? 'there are no cgroups';
  const child = spawn(process.execPath, ['--eval', WORK], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const dispose = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    const leftovers = await cgroups.removeAll();
    if (leftovers.length > 0) throw new Error(`left over: ${leftovers.join('; ')}`);
  };
  try {
    await cgroups.create(ID, LIMITS);
    for (const file of cgroups.joinFiles(ID)) await writeFile(file, String(child.pid));
  } catch (error) {
    await dispose();
    throw error;
  }
  const target = { index: 0, id: ID, cgroup: cgroups.foldersOf(ID) };
  return { target, [Symbol.asyncDispose]: dispose };
}
