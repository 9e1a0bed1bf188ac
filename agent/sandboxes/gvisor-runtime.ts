import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import type { DriverContext } from './driver.ts';
import { stateFolder } from './oci-container.ts';
import { findSupplied } from './supplied-files.ts';

/** How runsc catches the function's system calls. */
export type GvisorPlatform = 'systrap' | 'ptrace' | 'kvm';

/** The program, and what it can do. */
export interface Runsc {
  readonly program: string;
  readonly version: string;
  readonly platforms: readonly GvisorPlatform[];
}

const PLATFORMS: readonly GvisorPlatform[] = ['systrap', 'ptrace', 'kvm'];

// One program serves the whole life of a runner, so it is asked once.
const found = new WeakMap<DriverContext, Promise<Runsc>>();

/**
 * Finds runsc: the one that the user supplied, else that on PATH.
 *
 * @throws LockstepError TOOL_MISSING if it is not installed or does not run.
 */
export function findRunsc(context: DriverContext): Promise<Runsc> {
  const known = found.get(context);
  if (known !== undefined) return known;
  const runsc = explore(context);
  found.set(context, runsc);
  runsc.catch(() => found.delete(context));
  return runsc;
}

async function explore(context: DriverContext): Promise<Runsc> {
  const supplied = findSupplied(context, {
    variable: 'LOCKSTEP_RUNSC',
    place: 'gvisor/runsc',
    what: 'runsc',
  });
  const program = await supplied.catch(() => 'runsc');
  try {
    const version = await runCommand([program, '--version']);
    const { stdout, stderr } = await runCommand([program, 'help', 'platforms']);
    const words = new Set((stdout + stderr).split(/[^a-z]+/));
    return {
      program,
      version: /^runsc version (\S+)/m.exec(version.stdout)?.[1] ?? 'unknown',
      platforms: PLATFORMS.filter((name) => words.has(name)),
    };
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', 'runsc is not installed or does not run', {
      cause,
      hint: 'apt-get install runsc',
    });
  }
}

/** The best platform that needs nothing of the hardware. */
export function bestPlatform({ platforms }: Runsc): GvisorPlatform {
  return platforms.includes('systrap') ? 'systrap' : 'ptrace';
}

/**
 * Checks that this release of runsc has a platform.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if it does not.
 */
export function assertPlatform({ platforms, version }: Runsc, platform: GvisorPlatform): void {
  if (platforms.includes(platform)) return;
  throw new LockstepError(
    'SANDBOX_UNAVAILABLE',
    `runsc ${version} has no platform ${platform}, only ${platforms.join(' and ')}`,
    {
      hint:
        platform === 'systrap'
          ? 'install runsc of 2023 or later, or name its file in LOCKSTEP_RUNSC'
          : 'install another release of runsc, or name its file in LOCKSTEP_RUNSC',
    },
  );
}

/** What a runsc command is put together from. */
export interface RunscOptions {
  readonly runsc: Runsc;
  readonly platform: GvisorPlatform;
  /** `host`: the sockets of its network namespace. `sandbox`: a stack of its own. */
  readonly network: 'host' | 'sandbox';
}

/** Where runsc keeps the states of its containers. */
export function runscStateFolder(context: DriverContext): string {
  return stateFolder(context, 'runsc');
}

/** The program with its global options, to put before a subcommand. */
export function runscCommand(context: DriverContext, options: RunscOptions): string[] {
  return [
    options.runsc.program,
    ...['--root', runscStateFolder(context)],
    `--network=${options.network}`,
    `--platform=${options.platform}`,
    ...(context.cgroups.mode === 'none' ? ['--ignore-cgroups'] : []),
  ];
}
