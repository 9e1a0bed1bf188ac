import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { arch, availableParallelism, hostname, release, totalmem } from 'node:os';
import { cpu, osInfo, system } from 'systeminformation';
import { LockstepError } from '../schemas/errors.ts';
import type { DeviceFacts } from '../schemas/device.ts';
import { Cgroups } from './sandboxes/cgroup.ts';

const TEXT_MAX = 256;

/**
 * Measures what does not change while an agent lives. The library that is asked for models and
 * names forks shells, so this is done once, at the start.
 *
 * @throws LockstepError USAGE on an architecture that Lockstep does not run on.
 */
export async function readDeviceFacts(cgroupName: string): Promise<DeviceFacts> {
  const [processor, operatingSystem, machine, cgroups] = await Promise.all([
    cpu(),
    osInfo(),
    system(),
    Cgroups.open({ cgroupName }),
  ]);
  return {
    hostname: text(hostname()),
    machineId: hashedMachineId(),
    bootId: text(readTrimmed('/proc/sys/kernel/random/boot_id')),
    timeNamespace: text(readLink('/proc/self/ns/time')),
    architecture: architecture(),
    model: text(`${machine.manufacturer} ${machine.model}`),
    cpuModel: text(`${processor.manufacturer} ${processor.brand}`),
    cpuCount: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: text(release()),
    os: text(`${operatingSystem.distro} ${operatingSystem.release}`),
    cgroup: cgroups.mode,
    isRoot: process.getuid?.() === 0,
  };
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
  const machineId = readTrimmed('/etc/machine-id');
  if (machineId === '') return '';
  return createHash('sha256').update(`lockstep ${machineId}`).digest('hex').slice(0, 32);
}

function readTrimmed(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function text(value: string): string {
  return value.replaceAll(/\s+/g, ' ').trim().slice(0, TEXT_MAX);
}
