import { readlinkSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';

/**
 * How a sandbox is connected: `veth` is a network namespace of its own behind a pair of virtual
 * Ethernet devices; `tap` is a device in the hub for a virtual machine.
 */
export type SlotKind = 'veth' | 'tap';

/** A place in the network that one sandbox can have at a time. */
export interface Slot {
  readonly index: number;
  readonly kind: SlotKind;
  /** Address of the hub's side, where the runner listens. */
  readonly gatewayAddress: string;
  /** Address of the sandbox. */
  readonly address: string;
  readonly prefixLength: number;
  /** Device on the hub's side. */
  readonly interfaceName: string;
  /** Hardware address of the sandbox's side. */
  readonly macAddress: string;
  /** File that holds the sandbox's network namespace. Absent for a tap. */
  readonly netnsPath?: string;
}

/** The interface of a veth slot, by its name inside the slot's network namespace. */
export const SLOT_INTERFACE = 'eth0';

const SLOTS_MAX = 4096;
const PREFIX_LENGTH = 30;
const PARALLEL_MAX = 4;

/** Environment variable that names the network namespace of the device to what runs inside. */
export const HOST_NETWORK_NAMESPACE_VARIABLE = 'LOCKSTEP_HOST_NETNS';

/**
 * Checks that this process is in a network namespace of the runner's own, so that nothing here can
 * touch the interfaces of the device.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if it is not, or if that can't be told.
 */
export function assertOwnNetwork(): void {
  const host = process.env[HOST_NETWORK_NAMESPACE_VARIABLE];
  if (host !== undefined && host !== '' && host !== readlinkSync('/proc/self/ns/net')) return;
  throw new LockstepError(
    'SANDBOX_UNAVAILABLE',
    "sandboxes are not started in the device's own network namespace",
    { hint: 'start the measuring process through isolationCommand' },
  );
}

/**
 * The network places of one runner, all in the network namespace that the runner has for its own
 * (the hub). Slots are made when they are first asked for and then used again.
 */
export class SlotPool {
  readonly #folder: string;
  readonly #free: Record<SlotKind, Slot[]> = { veth: [], tap: [] };
  readonly #all: Slot[] = [];
  readonly #taken = new Set<Slot>();
  #growing: Promise<void> = Promise.resolve();

  /** @param scratchFolder a folder on the runner's private tmpfs. */
  constructor(scratchFolder: string) {
    this.#folder = join(scratchFolder, 'netns');
  }

  /**
   * Hands out slots, and makes what is missing; so it must not be called in a timed part.
   *
   * @throws LockstepError SANDBOX_UNAVAILABLE if a device of this kind can't be made here.
   */
  async acquire(kind: SlotKind, count: number): Promise<Slot[]> {
    const grown = this.#growing.then(() => this.#grow(kind, count));
    this.#growing = grown.catch(() => undefined);
    await grown;
    const slots = this.#free[kind].splice(0, count);
    for (const slot of slots) this.#taken.add(slot);
    return slots;
  }

  /** Takes slots back whose sandboxes were removed. */
  release(slots: readonly Slot[]): void {
    for (const slot of slots) {
      if (this.#taken.delete(slot)) this.#free[slot.kind].push(slot);
    }
  }

  /** Removes all devices and namespaces. Returns what could not be removed. */
  async destroy(): Promise<string[]> {
    await this.#growing;
    const leftovers: string[] = [];
    for (const slot of this.#all.splice(0)) {
      try {
        await removeSlot(slot);
      } catch (error) {
        leftovers.push(`network slot ${slot.interfaceName}: ${errorMessageOf(error)}`);
      }
    }
    this.#free.veth = [];
    this.#free.tap = [];
    this.#taken.clear();
    return leftovers;
  }

  async #grow(kind: SlotKind, count: number): Promise<void> {
    assertOwnNetwork();
    const missing = count - this.#free[kind].length;
    if (this.#all.length + missing > SLOTS_MAX) {
      throw new LockstepError(
        'SANDBOX_UNAVAILABLE',
        `${this.#all.length + missing} network slots were asked for; there are ${SLOTS_MAX}`,
        { hint: 'measure fewer instances at once' },
      );
    }
    await mkdir(this.#folder, { recursive: true });
    for (let left = missing; left > 0; left -= PARALLEL_MAX) {
      const plans = Array.from({ length: Math.min(left, PARALLEL_MAX) }, () => {
        const slot = planSlot(this.#all.length, kind, this.#folder);
        // Listed before it is made, so that destroy() also removes what was made in half.
        this.#all.push(slot);
        return slot;
      });
      const made = await Promise.allSettled(plans.map((slot) => makeSlot(slot)));
      const failed = made.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw slotFailure(kind, failed.reason);
      this.#free[kind].push(...plans);
    }
  }
}

/** The addresses and names of one slot: the nth /30 of 10.77.0.0/16. */
export function planSlot(index: number, kind: SlotKind, folder: string): Slot {
  const base = index * 4;
  const address = (host: number): string => `10.77.${(base + host) >> 8}.${(base + host) & 0xff}`;
  const common = {
    index,
    gatewayAddress: address(1),
    address: address(2),
    prefixLength: PREFIX_LENGTH,
    macAddress: hardwareAddress(index, 2),
  };
  return kind === 'veth'
    ? { ...common, kind, interfaceName: `v${index}`, netnsPath: join(folder, `${index}`) }
    : { ...common, kind, interfaceName: `t${index}` };
}

// Locally administered; the middle bytes spell "LS".
function hardwareAddress(index: number, side: 1 | 2): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `02:4c:53:${hex(index >> 8)}:${hex(index & 0xff)}:${hex(side)}`;
}

async function makeSlot(slot: Slot): Promise<void> {
  const hub = slot.interfaceName;
  const create: string[] = [];
  if (slot.netnsPath === undefined) {
    create.push(`tuntap add dev ${hub} mode tap`);
    create.push(`link set dev ${hub} address ${hardwareAddress(slot.index, 1)}`);
  } else {
    await writeFile(slot.netnsPath, '');
    await runCommand(['unshare', `--net=${slot.netnsPath}`, 'true']);
    create.push(
      `link add name ${hub} address ${hardwareAddress(slot.index, 1)} type veth ` +
        `peer name ${SLOT_INTERFACE} address ${slot.macAddress} netns ${slot.netnsPath}`,
    );
  }
  await ipBatch([
    ...create,
    // No IPv6 address, so no router solicitations while something is measured.
    `link set dev ${hub} addrgenmode none`,
    `address add ${slot.gatewayAddress}/${slot.prefixLength} dev ${hub}`,
    `link set dev ${hub} up`,
    // A question for the hardware address that comes too early is repeated only after a second.
    `neighbour replace ${slot.address} lladdr ${slot.macAddress} dev ${hub} nud permanent`,
  ]);
  if (slot.netnsPath === undefined) return;
  await ipBatch(
    [
      'link set dev lo up',
      `link set dev ${SLOT_INTERFACE} addrgenmode none`,
      `address add ${slot.address}/${slot.prefixLength} dev ${SLOT_INTERFACE}`,
      `link set dev ${SLOT_INTERFACE} up`,
      `neighbour replace ${slot.gatewayAddress} lladdr ${hardwareAddress(slot.index, 1)} ` +
        `dev ${SLOT_INTERFACE} nud permanent`,
      `route add default via ${slot.gatewayAddress}`,
    ],
    slot.netnsPath,
  );
}

async function removeSlot(slot: Slot): Promise<void> {
  await ipBatch([`link delete dev ${slot.interfaceName}`]).catch((error: unknown) => {
    if (!errorMessageOf(error).includes('Cannot find device')) throw error;
  });
  if (slot.netnsPath === undefined) return;
  await runCommand(['umount', slot.netnsPath]).catch((error: unknown) => {
    if (!/not mounted|no mount point/.test(errorMessageOf(error))) throw error;
  });
  await rm(slot.netnsPath, { force: true });
}

async function ipBatch(lines: readonly string[], netnsPath?: string): Promise<void> {
  const enter = netnsPath === undefined ? [] : ['nsenter', `--net=${netnsPath}`, '--'];
  await runCommand([...enter, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

function slotFailure(kind: SlotKind, cause: unknown): LockstepError {
  const hint =
    kind === 'tap'
      ? 'load the tun module and let the agent read and write /dev/net/tun'
      : 'the kernel needs network namespaces and the veth module';
  return new LockstepError(
    'SANDBOX_UNAVAILABLE',
    `a ${kind} network device could not be made: ${errorMessageOf(cause)}`,
    { cause, hint },
  );
}
