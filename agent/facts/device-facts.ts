import { createHash } from 'node:crypto';
import { arch, availableParallelism, hostname, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { cpu, osInfo, system } from 'systeminformation';
import type { DeviceFacts } from '../../schemas/device.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { Cgroups } from '../sandboxes/cgroup.ts';
import { readDiskFact } from './disk.ts';
import { readKernelFacts } from './kernel.ts';
import { readMemoryFacts } from './memory.ts';
import { readNetworkFact } from './network.ts';
import { readPressureFact } from './pressure.ts';
import { readProcessorFacts } from './processor.ts';
import { MACHINE_ROOTS, boundedText, known, readFact, readLinkFact } from './sources.ts';
import type { FactRoots } from './sources.ts';
import { readKvmFact, readVirtualisation } from './virtualisation.ts';

/** Where facts are read, if not where the machine has them. */
export interface FactOptions {
  /** Folder on the disk that is told of. Default: the current one. */
  readonly dataFolder?: string;
  readonly roots?: FactRoots;
}

/**
 * Measures the facts of this device. The library that is asked for models and names forks shells,
 * so this is done once, at the start; see {@link readChangingFacts} for what may change.
 *
 * @throws LockstepError USAGE on an architecture that Lockstep does not run on.
 */
export async function readDeviceFacts(
  cgroupName: string,
  { dataFolder = process.cwd(), roots = MACHINE_ROOTS }: FactOptions = {},
): Promise<DeviceFacts> {
  const [processor, operatingSystem, machine, cgroups, changing] = await Promise.all([
    cpu(),
    osInfo(),
    system(),
    Cgroups.open({ cgroupName }),
    readChangingFacts({ dataFolder, roots }),
  ]);
  return {
    hostname: boundedText(hostname()),
    machineId: hashedMachineId(),
    bootId: boundedText(readFact(join(roots.proc, 'sys/kernel/random/boot_id')) ?? ''),
    timeNamespace: boundedText(readLinkFact(join(roots.proc, 'self/ns/time')) ?? ''),
    architecture: architecture(),
    model: boundedText(`${machine.manufacturer} ${machine.model}`),
    cpuModel: boundedText(`${processor.manufacturer} ${processor.brand}`),
    kernel: boundedText(release()),
    os: boundedText(`${operatingSystem.distro} ${operatingSystem.release}`),
    cgroup: cgroups.mode,
    isRoot: process.getuid?.() === 0,
    ...readKernelFacts(roots),
    ...readVirtualisation(roots),
    kvm: readKvmFact(roots),
    ...changing,
  };
}

/** Facts that may change while an agent lives. */
export const CHANGING_FACTS = [
  'cpuCount',
  'memoryBytes',
  'frequencyPolicies',
  'isTurboOn',
  'isSmtActive',
  'isolatedCpus',
  'pressure',
  'swap',
  'isKsmOn',
  'hugePages',
  'disk',
  'network',
] as const satisfies readonly (keyof DeviceFacts)[];

/** Their values now. */
export type ChangingFacts = Pick<DeviceFacts, (typeof CHANGING_FACTS)[number]>;

/** Reads those from files of the kernel: it starts no process and takes a few milliseconds. */
export async function readChangingFacts({
  dataFolder = process.cwd(),
  roots = MACHINE_ROOTS,
}: FactOptions = {}): Promise<ChangingFacts> {
  return known({
    cpuCount: availableParallelism(),
    memoryBytes: totalmem(),
    ...readProcessorFacts(roots),
    ...readMemoryFacts(roots),
    pressure: readPressureFact(roots),
    disk: await readDiskFact(roots, dataFolder),
    network: readNetworkFact(roots),
  });
}

function architecture(): DeviceFacts['architecture'] {
  const found = arch();
  if (found === 'x64' || found === 'arm64') return found;
  throw new LockstepError('USAGE', `Lockstep does not run on processors of type ${found}`, {
    hint: 'Use a 64-bit x86 or ARM machine with a 64-bit system.',
  });
}

// The machine id itself is meant to stay on the machine (machine-id(5)), so only a hash leaves it.
function hashedMachineId(): string {
  const machineId = readFact('/etc/machine-id') ?? '';
  if (machineId === '') return '';
  return createHash('sha256').update(`lockstep ${machineId}`).digest('hex').slice(0, 32);
}
