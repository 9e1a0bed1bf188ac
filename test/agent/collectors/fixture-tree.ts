import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type {
  CgroupFolders,
  FastSource,
  OpenedSource,
  Roots,
  SandboxTarget,
} from '../../../agent/collectors/collector.ts';
import type { CapturedFiles } from '../../fixtures/collectors/captured-files.ts';

/** Captured files, laid out as they were below a folder of their own. */
export interface FixtureTree {
  readonly folder: string;
  readonly roots: Roots;
}

// Where there is one, a folder in memory: some tests write thousands of files.
const BASE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Writes the files below a temporary folder, which goes with the test. */
export function layOut(t: ExecutionContext, files: CapturedFiles): FixtureTree {
  const folder = mkdtempSync(join(BASE, 'lockstep-collectors-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  for (const [path, content] of files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  const roots = { proc: join(folder, 'proc'), sys: join(folder, 'sys'), dev: join(folder, 'dev') };
  return { folder, roots };
}

/** A sandbox whose folders are those given, or all one on version 2. */
export function targetOf(cgroup: CgroupFolders, more: Partial<SandboxTarget> = {}): SandboxTarget {
  return { index: 0, id: 's0', cgroup, ...more };
}

/** The folders of a group of version 2 with every controller. */
export function v2Folders(folder: string): CgroupFolders {
  return {
    mode: 'v2',
    cpu: folder,
    cpuacct: folder,
    memory: folder,
    io: folder,
    pids: folder,
    processes: folder,
  };
}

/** The source, if it is one for the sampling loop; throws otherwise. Closed with the test. */
export function fastSource(t: ExecutionContext, opened: OpenedSource): FastSource {
  if ('unavailable' in opened) throw new Error(`unavailable: ${opened.unavailable}`);
  if (opened.pace === 'slow') throw new Error('this source is slow');
  t.teardown(() => {
    opened.close();
  });
  return opened;
}

/** One reading: values by metric and attributes, as in `system.cpu.time user`. */
export function readValues(source: FastSource): Record<string, number> | string {
  const row = new Float64Array(source.series.length).fill(-1);
  const outcome = source.read(row);
  if (outcome !== 'read') return outcome;
  return Object.fromEntries(
    source.series.map(({ metric, attributes = {} }, place) => [
      [metric, ...Object.values(attributes)].join(' '),
      row[place] ?? Number.NaN,
    ]),
  );
}
