import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { LockstepError } from '../../schemas/errors.ts';
import type { SandboxName } from '../../schemas/sandbox.ts';

/** One thing that a kind of sandbox needs and this host has not. */
export interface Lack {
  /** What is missing, as a statement without a full stop. */
  readonly what: string;
  /** What to do about it, as a command or a sentence. */
  readonly remedy: string;
}

/**
 * Refuses a kind of sandbox with all that this host lacks for it, so that nobody has to find out
 * one after the other.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE unless the list is empty.
 */
export function assertNothingLacks(sandbox: SandboxName, lacks: readonly Lack[]): void {
  if (lacks.length === 0) return;
  throw new LockstepError(
    'SANDBOX_UNAVAILABLE',
    `this host can't run ${sandbox}: ${lacks.map(({ what }) => what).join('; ')}`,
    { hint: lacks.map(({ remedy }) => remedy).join('; ') },
  );
}

const READ_WRITE = constants.R_OK | constants.W_OK;

/**
 * What a host lacks by its files to run guests under KVM. That /dev/kvm can be opened does not yet
 * mean that guests run: that shows only when one has.
 */
export async function kvmLacks(): Promise<Lack[]> {
  const lacks: Lack[] = [];
  const kvm = await problemWith('/dev/kvm');
  if (kvm === 'ENOENT') {
    lacks.push({
      what: '/dev/kvm is not there',
      remedy:
        'load kvm_intel or kvm_amd, and turn virtualisation on in the firmware; inside a virtual ' +
        'machine its host must allow nested virtualisation',
    });
  } else if (kvm !== undefined) {
    lacks.push({
      what: `/dev/kvm may not be opened (${kvm})`,
      remedy: 'run the agent as root, or add its user to the group kvm',
    });
  }
  const tun = await problemWith('/dev/net/tun');
  if (tun !== undefined) {
    lacks.push({
      what: `/dev/net/tun is not there or may not be opened (${tun})`,
      remedy: 'load the tun module, and run the agent as root or let it use /dev/net/tun',
    });
  }
  return lacks;
}

/** The error's name, or undefined if the file can be read and written. */
async function problemWith(file: string): Promise<string | undefined> {
  try {
    await access(file, READ_WRITE);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}
