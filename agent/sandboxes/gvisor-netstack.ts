import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { bestPlatform, findRunsc, runscCommand, runscStateFolder } from './gvisor-runtime.ts';
import { SLOT_INTERFACE, assertOwnNetwork } from './network.ts';
import type { Slot } from './network.ts';
import { containerDetails, createContainer } from './oci-container.ts';
import { hidesSysctls, netstackWrapper } from './runtime-wrapper.ts';

/**
 * gVisor with the network stack of its own, which takes the slot's interface over: its address and
 * routes are copied into the sandbox and taken off the interface, and put back after the removal.
 */
export const gvisorNetstackDriver: SandboxDriver = {
  name: 'gvisor-netstack',
  slotKind: 'veth',
  detect,
  create,
};

async function detect(context: DriverContext): Promise<Record<string, string>> {
  assertOwnNetwork();
  const runsc = await findRunsc(context);
  return containerDetails(context, {
    version: runsc.version,
    platform: bestPlatform(runsc),
    'network-stack': 'runsc',
    wrapper: hidesSysctls()
      ? 'guard of the network namespace, mount namespace without /proc/sys/net'
      : 'guard of the network namespace',
  });
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { slot } = spec;
  const wrapper = netstackWrapper(slot.netnsPath);
  const runsc = await findRunsc(context);
  const platform = bestPlatform(runsc);
  const gateway = await readGatewayHardwareAddress(slot);
  return createContainer(context, spec, observer, {
    stateFolder: runscStateFolder(context),
    command: runscCommand(context, { runsc, platform, network: 'sandbox' }),
    wrapper,
    // Without it, it makes an empty network namespace for its stack.
    namesNetwork: true,
    restoreSlot: () => restoreSlot(slot, gateway),
  });
}

/** Puts address, neighbour and route of a slot back, as they were made with it. */
async function restoreSlot(slot: Slot, gateway: string | undefined): Promise<void> {
  const lines = [
    `address replace ${slot.address}/${slot.prefixLength} dev ${SLOT_INTERFACE}`,
    `link set dev ${SLOT_INTERFACE} up`,
    ...(gateway === undefined
      ? []
      : [
          `neighbour replace ${slot.gatewayAddress} lladdr ${gateway} dev ${SLOT_INTERFACE} ` +
            'nud permanent',
        ]),
    `route replace default via ${slot.gatewayAddress}`,
    'link set dev lo up',
    'address replace 127.0.0.1/8 dev lo',
  ];
  try {
    await runCommand(inSlot(slot, ['ip', '-batch', '-']), { input: `${lines.join('\n')}\n` });
  } catch (cause) {
    throw new LockstepError(
      'SANDBOX_FAILED',
      `the address of slot ${slot.interfaceName} could not be put back: ${errorMessageOf(cause)}`,
      { cause },
    );
  }
}

async function readGatewayHardwareAddress(slot: Slot): Promise<string | undefined> {
  const command = ['ip', '-json', 'neighbour', 'show', slot.gatewayAddress];
  const { stdout } = await runCommand(inSlot(slot, command));
  const [first] = JSON.parse(stdout.trim() === '' ? '[]' : stdout) as { lladdr?: string }[];
  return first?.lladdr;
}

function inSlot({ netnsPath }: Slot, command: readonly string[]): string[] {
  return ['nsenter', `--net=${netnsPath ?? ''}`, '--', ...command];
}
