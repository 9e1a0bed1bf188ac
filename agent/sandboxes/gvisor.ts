import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { assertOwnNetwork } from './network.ts';
import { createContainer, stateFolder } from './oci-container.ts';

/**
 * gVisor: a kernel in user space between the function and the device's kernel, made by runsc from
 * the same OCI bundle as runc's. It uses the sockets of the network namespace that it is in.
 */
export const gvisorDriver: SandboxDriver = { name: 'gvisor', slotKind: 'veth', detect, create };

/** How runsc catches the function's system calls. */
type Platform = 'systrap' | 'ptrace';

const HINT = 'apt-get install runsc';

async function detect(context: DriverContext): Promise<Record<string, string>> {
  assertOwnNetwork();
  const version = await readVersion();
  return { version, platform: await findPlatform(), cgroups: context.cgroups.mode };
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  // The network stack of runsc takes the addresses off all devices of the namespace that it is
  // started in. It is never asked for here; and in the device's own namespace nothing is started.
  assertOwnNetwork();
  if (spec.slot.netnsPath === undefined) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', 'gVisor needs a network namespace of its own');
  }
  return createContainer(context, spec, observer, await runtime(context));
}

async function runtime(context: DriverContext): Promise<string[]> {
  return [
    'runsc',
    ...['--root', stateFolder(context, 'runsc')],
    '--network=host',
    `--platform=${await findPlatform()}`,
    ...(context.cgroups.mode === 'none' ? ['--ignore-cgroups'] : []),
  ];
}

async function readVersion(): Promise<string> {
  try {
    const { stdout } = await runCommand(['runsc', '--version']);
    return /^runsc version (\S+)/m.exec(stdout)?.[1] ?? 'unknown';
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', 'runsc is not installed or does not run', {
      cause,
      hint: HINT,
    });
  }
}

// One program serves the whole life of a runner, so it is asked once.
let platform: Promise<Platform> | undefined;

function findPlatform(): Promise<Platform> {
  platform ??= runCommand(['runsc', 'help', 'platforms']).then(({ stdout, stderr }) =>
    /\bsystrap\b/.test(stdout + stderr) ? 'systrap' : 'ptrace',
  );
  return platform;
}
