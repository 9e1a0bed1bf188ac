import { readFileSync } from 'node:fs';
import { machine, release, version } from 'node:os';
import { join } from 'node:path';
import type { DeviceFacts } from '../../schemas/device.ts';
import { readKernelTick } from '../collectors/kernel-tick.ts';
import { parseCgroupLayout } from '../sandboxes/cgroup-layout.ts';
import { kernelOption, readKernelConfig } from './kernel-config.ts';
import { boundedText, known, readFact, readTextFact } from './sources.ts';
import type { FactRoots } from './sources.ts';

const PREEMPTIONS = ['none', 'voluntary', 'lazy', 'full'] as const;
const LOCKDOWNS = ['none', 'integrity', 'confidentiality'] as const;
type Preemption = NonNullable<DeviceFacts['preemption']>;

/** Number of the page size in the auxiliary vector; see getauxval(3). */
const AT_PAGESZ = 6n;
const PAGE_SIZE_MAX = 2n ** 30n;
const TIMER_HZ_MAX = 100_000;

/** How the kernel is built and set up. */
export function readKernelFacts(roots: FactRoots): Partial<DeviceFacts> {
  const config = readKernelConfig(roots, release());
  const tick = readKernelTick(roots, roots.boot);
  return known({
    kernelMachine: boundedText(machine()),
    // What is only assumed is no fact.
    timerHz: tick.isAssumed || tick.hz > TIMER_HZ_MAX ? undefined : tick.hz,
    pageSizeBytes: readPageSize(roots),
    preemption: readPreemption(roots, version(), config),
    clocksource: readTextFact(
      join(roots.sys, 'devices/system/clocksource/clocksource0/current_clocksource'),
    ),
    lockdown: LOCKDOWNS.find(
      (word) => word === chosenWord(readFact(join(roots.sys, 'kernel/security/lockdown'))),
    ),
    ...readCgroupFacts(roots),
  });
}

/**
 * When the kernel preempts itself. A kernel built with PREEMPT_DYNAMIC tells in debugfs, which only
 * root may read; else its command line and its configuration decide.
 *
 * @param builtAs what `uname -v` prints
 */
export function readPreemption(
  roots: FactRoots,
  builtAs: string,
  config: string | undefined,
): Preemption | undefined {
  if (/\bPREEMPT_RT\b/.test(builtAs)) return 'real-time';
  const isDynamic = /\bPREEMPT_DYNAMIC\b/.test(builtAs);
  const isFullOnly = /\bPREEMPT\b/.test(builtAs);
  if (!isDynamic && isFullOnly) return 'full';
  const now = /\((\w+)\)/.exec(readFact(join(roots.sys, 'kernel/debug/sched/preempt')) ?? '')?.[1];
  const asked = /(?:^|\s)preempt=(\w+)/.exec(readFact(join(roots.proc, 'cmdline')) ?? '')?.[1];
  const built = PREEMPTIONS.find((word) => kernelOption(config, optionOf(word)) === 'y');
  const set = now ?? (isDynamic ? asked : undefined);
  return PREEMPTIONS.find((word) => word === set) ?? built;
}

function optionOf(word: Preemption): string {
  return word === 'full' ? 'CONFIG_PREEMPT' : `CONFIG_PREEMPT_${word.toUpperCase()}`;
}

/** Which versions of cgroups are mounted, and the controllers on them. */
export function readCgroupFacts(
  roots: FactRoots,
): Pick<DeviceFacts, 'cgroupLayout' | 'cgroupControllers'> {
  const mountinfo = readFact(join(roots.proc, 'self/mountinfo'));
  if (mountinfo === undefined) return {};
  const layout = parseCgroupLayout(mountinfo, '');
  const hasV1 = / - cgroup /.test(mountinfo);
  const hasV2 = / - cgroup2 /.test(mountinfo);
  const cgroupLayout = hasV1 ? (hasV2 ? 'hybrid' : 'v1') : hasV2 ? 'v2' : 'none';
  const unified =
    layout.unified === undefined ? undefined : readFact(join(layout.unified, 'cgroup.controllers'));
  // What is mounted on version 1 cannot be on version 2; /proc/cgroups lists both.
  const controllers =
    cgroupLayout === 'v2' ? unified?.split(' ') : enabledControllers(roots, mountinfo);
  return known({
    cgroupLayout,
    cgroupControllers: controllers
      ?.map(boundedText)
      .filter((name) => name !== '')
      .toSorted()
      .slice(0, 32),
  });
}

function enabledControllers(roots: FactRoots, mountinfo: string): string[] | undefined {
  if (!/ - cgroup2? /.test(mountinfo)) return undefined;
  const table = readFact(join(roots.proc, 'cgroups'));
  return table?.split('\n').flatMap((line) => {
    const [name = '', , , enabled] = line.split(/\s+/);
    return enabled === '1' && !name.startsWith('#') ? [name] : [];
  });
}

/** Size of a page from the auxiliary vector of this process: pairs of machine words. */
function readPageSize(roots: FactRoots): number | undefined {
  try {
    const words = readFileSync(join(roots.proc, 'self/auxv'));
    for (let at = 0; at + 16 <= words.length; at += 16) {
      const size = words.readBigUInt64LE(at + 8);
      const isPageSize = words.readBigUInt64LE(at) === AT_PAGESZ;
      if (isPageSize && size > 0n && size <= PAGE_SIZE_MAX) return Number(size);
    }
  } catch {
    // Not there: unknown.
  }
  return undefined;
}

/** The word in brackets of a file such as `[none] integrity confidentiality`. */
export function chosenWord(text: string | undefined): string | undefined {
  return /\[([\w-]+)\]/.exec(text ?? '')?.[1];
}
