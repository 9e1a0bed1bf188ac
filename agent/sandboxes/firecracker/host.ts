import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError, errorMessageOf } from '../../../schemas/errors.ts';
import type { SandboxName } from '../../../schemas/sandbox.ts';
import { readKvmModules } from '../../collectors/kvm-modules.ts';
import { runCommand } from '../command.ts';
import type { DriverContext } from '../driver.ts';
import { assertNothingLacks, kvmLacks } from '../host-lacks.ts';
import type { Lack } from '../host-lacks.ts';
import { bootProbe } from '../kvm-probe.ts';
import { findSupplied } from '../supplied-files.ts';
import type { SuppliedFile } from '../supplied-files.ts';
import type { GuestKind } from './guest.ts';
import { vmConfig } from './vm-config.ts';

/** The program. It is in no distribution: the user has it from its release. */
export const FIRECRACKER_FILE: SuppliedFile = {
  variable: 'LOCKSTEP_FIRECRACKER',
  place: 'firecracker/firecracker',
  what: 'Firecracker',
};

/** Its jailer, of the same release. */
export const JAILER_FILE: SuppliedFile = {
  variable: 'LOCKSTEP_JAILER',
  place: 'firecracker/jailer',
  what: "Firecracker's jailer",
};

/** What the user chooses by variables of the agent's environment; each is told in the details. */
export interface FirecrackerChoices {
  /** `LOCKSTEP_FIRECRACKER_START`: who configures a cold start; see the driver. */
  readonly start: 'config-file' | 'api';
  /** `LOCKSTEP_FIRECRACKER_JAILER=1`: Firecracker runs in its jail. */
  readonly isJailed: boolean;
  /** `LOCKSTEP_FIRECRACKER_VSOCK=1`: the guest has a vsock as well. */
  readonly hasVsock: boolean;
}

/** A host on which Firecracker runs guests. */
export interface FirecrackerHost {
  readonly program: string;
  readonly version: string;
  readonly choices: FirecrackerChoices;
  /** Present if it is used. */
  readonly jailerProgram?: string;
}

/**
 * Reads the user's choices.
 *
 * @throws LockstepError USAGE if a variable has another value than it may have.
 */
export function readChoices(environment: NodeJS.ProcessEnv = process.env): FirecrackerChoices {
  const read = <T extends string>(name: string, values: readonly [T, ...T[]]): T => {
    const text = environment[name] ?? '';
    const value = text === '' ? values[0] : values.find((one) => one === text);
    if (value !== undefined) return value;
    throw new LockstepError('USAGE', `${name} is '${text}'`, {
      hint: `it may be ${values.join(' or ')}`,
    });
  };
  return {
    start: read('LOCKSTEP_FIRECRACKER_START', ['config-file', 'api']),
    isJailed: read('LOCKSTEP_FIRECRACKER_JAILER', ['0', '1']) === '1',
    hasVsock: read('LOCKSTEP_FIRECRACKER_VSOCK', ['0', '1']) === '1',
  };
}

/**
 * All that this host lacks to run this kind of guest in Firecracker; empty if nothing. Boots a
 * guest without a function only if nothing else is missing.
 */
export async function firecrackerLacks(context: DriverContext, guest: GuestKind): Promise<Lack[]> {
  const lacks: Lack[] = [];
  const note = (error: unknown): void => {
    const hint = error instanceof LockstepError ? error.hint : undefined;
    const remedy = hint ?? 'look at the message';
    lacks.push({ what: errorMessageOf(error), remedy });
  };
  try {
    await readVersion(await findSupplied(context, FIRECRACKER_FILE));
  } catch (error) {
    note(error);
  }
  try {
    if (readChoices().isJailed) await assertJailer(await findSupplied(context, JAILER_FILE));
  } catch (error) {
    note(error);
  }
  lacks.push(...(await kvmLacks()), ...(await guest.lacks(context)));
  if (lacks.length > 0) return lacks;
  const reason = await probeGuest(context, guest);
  if (reason === undefined) return [];
  return [
    {
      what: `KVM runs no guests here (Firecracker's probe guest: ${reason})`,
      remedy: 'use a host with hardware virtualisation, or the sandbox microvm, which needs none',
    },
  ];
}

/**
 * Finds out that guests of this kind run here, and on what.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE with all that is missing.
 */
export async function findFirecracker(
  context: DriverContext,
  name: SandboxName,
  guest: GuestKind,
): Promise<FirecrackerHost> {
  assertNothingLacks(name, await firecrackerLacks(context, guest));
  const program = await findSupplied(context, FIRECRACKER_FILE);
  const choices = readChoices();
  return {
    program,
    version: await readVersion(program),
    choices,
    ...(choices.isJailed ? { jailerProgram: await findSupplied(context, JAILER_FILE) } : {}),
  };
}

/** What a host with Firecracker says of itself in the details of each result. */
export function describeHost({ choices, version }: FirecrackerHost): Record<string, string> {
  const modules = readKvmModules();
  return {
    version,
    accelerator: 'kvm',
    start: choices.start,
    jailer: choices.isJailed ? 'yes' : 'no',
    vsock: choices.hasVsock ? 'yes' : 'no',
    // What a module counts is its own matter: figures of two modules can't be compared.
    ...(modules.length === 0 ? {} : { 'kvm-modules': modules.join(' ') }),
  };
}

async function readVersion(program: string): Promise<string> {
  const { stdout } = await runCommand([program, '--version']);
  const version = /^Firecracker v(\S+)/m.exec(stdout)?.[1];
  if (version !== undefined) return version;
  throw new LockstepError('SANDBOX_UNAVAILABLE', `${program} does not say that it is Firecracker`, {
    hint: `name the program of Firecracker's release in ${FIRECRACKER_FILE.variable}`,
  });
}

async function assertJailer(program: string): Promise<void> {
  await runCommand([program, '--version']);
  if (process.getuid?.() === 0) return;
  throw new LockstepError(
    'PERMISSION_MISSING',
    'the jailer makes devices and becomes other users',
    {
      hint: 'run the agent as root, or set LOCKSTEP_FIRECRACKER_JAILER to 0',
    },
  );
}

const PROBE_MEMORY_MIB = 256;

/** Why a guest did not come up; undefined if it did, or if this kind has none to try. */
async function probeGuest(context: DriverContext, guest: GuestKind): Promise<string | undefined> {
  const payload = await guest.probe(context);
  if (payload === undefined) return undefined;
  const folder = join(context.scratchFolder, 'guests');
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'firecracker-probe.json');
  const limits = { memoryMib: PROBE_MEMORY_MIB, cpus: 1 };
  await writeFile(file, JSON.stringify(vmConfig({ payload, limits })));
  const program = await findSupplied(context, FIRECRACKER_FILE);
  try {
    return await bootProbe([program, '--no-api', '--config-file', file]);
  } finally {
    await rm(file, { force: true });
  }
}
