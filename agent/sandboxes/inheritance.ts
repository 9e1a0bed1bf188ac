import { readFileSync } from 'node:fs';

/** What {@link resetCommand} needs to know about this process and machine. */
export interface InheritanceFacts {
  /** List of processors as in /sys/devices/system/cpu/online, e.g. `0-3`. */
  readonly onlineCpus: string;
  /** Hard limits of this process by the kernel's name, e.g. `Max open files`. */
  readonly hardLimits: ReadonlyMap<string, number>;
  /** True if this process may raise hard limits. */
  readonly mayRaiseLimits: boolean;
}

interface LimitDefault {
  readonly option: string;
  readonly kernelName: string;
  readonly soft: number;
  readonly hard: number;
}

/** The limit of open files that every sandbox gets: the kernel's default for the first process. */
export const OPEN_FILES_LIMIT = { soft: 1024, hard: 4096 } as const;

const MIB = 1024 * 1024;
const NONE = Infinity;

// The kernel's defaults; source: getrlimit(2) and include/asm-generic/resource.h. What depends on
// the size of the machine (processes, pending signals) is left as it is.
const LIMIT_DEFAULTS: readonly LimitDefault[] = [
  { option: 'as', kernelName: 'Max address space', soft: NONE, hard: NONE },
  { option: 'core', kernelName: 'Max core file size', soft: 0, hard: NONE },
  { option: 'cpu', kernelName: 'Max cpu time', soft: NONE, hard: NONE },
  { option: 'data', kernelName: 'Max data size', soft: NONE, hard: NONE },
  { option: 'fsize', kernelName: 'Max file size', soft: NONE, hard: NONE },
  { option: 'memlock', kernelName: 'Max locked memory', soft: 8 * MIB, hard: 8 * MIB },
  { option: 'nice', kernelName: 'Max nice priority', soft: 0, hard: 0 },
  { option: 'nofile', kernelName: 'Max open files', ...OPEN_FILES_LIMIT },
  { option: 'rtprio', kernelName: 'Max realtime priority', soft: 0, hard: 0 },
  { option: 'stack', kernelName: 'Max stack size', soft: 8 * MIB, hard: NONE },
];

/**
 * The words to put before a command so that it starts with the ordinary scheduling class, on all
 * processors and with the kernel's resource limits, whatever this process has. Without the right
 * to raise limits, this process's hard limits stay the ceiling.
 */
export function resetCommand(facts: InheritanceFacts): string[] {
  const limits = LIMIT_DEFAULTS.map((limit) => {
    const ceiling = facts.mayRaiseLimits ? NONE : (facts.hardLimits.get(limit.kernelName) ?? NONE);
    const word = (value: number): string =>
      Math.min(value, ceiling) === NONE ? 'unlimited' : String(Math.min(value, ceiling));
    return `--${limit.option}=${word(limit.soft)}:${word(limit.hard)}`;
  });
  return [
    ...['chrt', '--other', '0'],
    ...['taskset', '--cpu-list', facts.onlineCpus],
    ...['prlimit', ...limits],
  ];
}

/** Reads the facts for {@link resetCommand}. */
export function readInheritanceFacts(): InheritanceFacts {
  const status = readFileSync('/proc/self/status', 'utf8');
  const uidMap = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const sysResource = 1n << 24n;
  return {
    onlineCpus: readFileSync('/sys/devices/system/cpu/online', 'utf8').trim(),
    hardLimits: parseHardLimits(readFileSync('/proc/self/limits', 'utf8')),
    // In a user namespace the capability does not count for limits.
    mayRaiseLimits: (capabilities & sysResource) !== 0n && uidMap[2] === '4294967295',
  };
}

/** Reads the hard limits from the text of /proc/PID/limits. */
export function parseHardLimits(text: string): Map<string, number> {
  const limits = new Map<string, number>();
  for (const line of text.split('\n').slice(1)) {
    const match = /^(.+?)\s{2,}\S+\s+(\S+)/.exec(line);
    if (match?.[1] === undefined) continue;
    limits.set(match[1], match[2] === 'unlimited' ? Infinity : Number(match[2]));
  }
  return limits;
}
