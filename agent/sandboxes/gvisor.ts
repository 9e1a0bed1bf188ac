import { LockstepError } from '../../schemas/errors.ts';
import type { SandboxName } from '../../schemas/sandbox.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import {
  assertPlatform,
  bestPlatform,
  findRunsc,
  runscCommand,
  runscStateFolder,
} from './gvisor-runtime.ts';
import type { GvisorPlatform, Runsc } from './gvisor-runtime.ts';
import { assertOwnNetwork } from './network.ts';
import { containerDetails, createContainer } from './oci-container.ts';

/**
 * gVisor: a kernel in user space between the function and the device's kernel, made by runsc from
 * the same OCI bundle as runc's, on the best platform that is there. It uses the sockets of the
 * network namespace that it is in.
 */
export const gvisorDriver: SandboxDriver = gvisorOn({ name: 'gvisor' });

/** A kind of gVisor that uses the sockets of its network namespace. */
interface GvisorKind {
  readonly name: SandboxName;
  /** Absent: the best that needs nothing of the hardware. */
  readonly platform?: GvisorPlatform;
  /** Finds out whether the platform works; throws if not. */
  readonly tryPlatform?: (context: DriverContext, runsc: Runsc) => Promise<void>;
}

/** The driver of such a kind. */
export function gvisorOn({ name, platform, tryPlatform }: GvisorKind): SandboxDriver {
  const detect = async (context: DriverContext): Promise<Record<string, string>> => {
    assertOwnNetwork();
    const runsc = await findRunsc(context);
    if (platform !== undefined) assertPlatform(runsc, platform);
    await tryPlatform?.(context, runsc);
    return containerDetails(context, {
      version: runsc.version,
      platform: platform ?? bestPlatform(runsc),
    });
  };
  const create = async (
    context: DriverContext,
    spec: SandboxSpec,
    observer: SandboxObserver,
  ): Promise<Sandbox> => {
    // The network stack of runsc takes the addresses off all devices of the namespace that it is
    // started in. It is not asked for here; and in the device's own namespace nothing is started.
    assertOwnNetwork();
    if (spec.slot.netnsPath === undefined) {
      throw new LockstepError('SANDBOX_UNAVAILABLE', 'gVisor needs a network namespace of its own');
    }
    const runsc = await findRunsc(context);
    const command = runscCommand(context, {
      runsc,
      platform: platform ?? bestPlatform(runsc),
      network: 'host',
    });
    return createContainer(context, spec, observer, {
      stateFolder: runscStateFolder(context),
      command,
    });
  };
  return { name, slotKind: 'veth', detect, create };
}
