import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelOption, readKernelConfig } from '../facts/kernel-config.ts';
import type { RateLimit, Roots } from './collector.ts';

/** How often the kernel's timer adds up what processes used. */
export interface KernelTick {
  /** CONFIG_HZ. */
  readonly hz: number;
  /** True if it is not known and only taken to be so. */
  readonly isAssumed: boolean;
}

/** The value that x86 and arm64 kernels have unless configured otherwise. */
const ASSUMED_HZ = 250;

/**
 * Finds CONFIG_HZ in the configuration of the running kernel: /proc/config.gz, or config-RELEASE in
 * /boot. Where neither can be read, 250 is assumed.
 */
export function readKernelTick(roots: Pick<Roots, 'proc'>, boot = '/boot'): KernelTick {
  const key = `${roots.proc}\0${boot}`;
  const known = ticks.get(key);
  if (known !== undefined) return known;
  const config = readKernelConfig({ proc: roots.proc, boot }, readRelease(roots.proc));
  const tick = parseTick(config);
  if (ticks.size < TICKS_MAX) ticks.set(key, tick);
  return tick;
}

// Unpacking the configuration takes milliseconds, and many sources ask.
const ticks = new Map<string, KernelTick>();
const TICKS_MAX = 16;

function parseTick(config: string | undefined): KernelTick {
  const hz = Number(kernelOption(config, 'CONFIG_HZ'));
  const isKnown = Number.isInteger(hz) && hz > 0;
  return isKnown ? { hz, isAssumed: false } : { hz: ASSUMED_HZ, isAssumed: true };
}

function readRelease(proc: string): string {
  try {
    return readFileSync(join(proc, 'sys/kernel/osrelease'), 'latin1').trim();
  } catch {
    return '';
  }
}

/** The limit for counters that move once per tick. */
export function tickLimit(roots: Roots): RateLimit {
  const { hz, isAssumed } = readKernelTick(roots);
  const origin = isAssumed ? ', assumed, as its configuration can not be read' : '';
  return { hz, reason: `the kernel adds up CPU time ${hz} times a second (CONFIG_HZ${origin})` };
}

/** The limit for counters of USER_HZ, which is 100 on every architecture of Lockstep. */
export const USER_HZ_LIMIT: RateLimit = {
  hz: 100,
  reason: 'the kernel tells these times in hundredths of a second (USER_HZ)',
};
