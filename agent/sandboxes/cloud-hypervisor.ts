import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { readKvmModules } from '../collectors/kvm-modules.ts';
import { CloudHypervisorApi } from './cloud-hypervisor-api.ts';
import type { VmConfig } from './cloud-hypervisor-api.ts';
import { runCommand } from './command.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import type { GuestPayload } from './firecracker/guest.ts';
import { linuxGuest } from './firecracker/linux-guest.ts';
import { assertRunnable } from './function-root.ts';
import { Gate } from './gate.ts';
import { undo } from './gated-sandbox.ts';
import { assertNothingLacks, kvmLacks } from './host-lacks.ts';
import type { Lack } from './host-lacks.ts';
import { bootProbe } from './kvm-probe.ts';
import { netmask } from './nanos-image.ts';
import { QEMU_MEMORY_MIB } from './qemu-sandbox.ts';
import { fitsSocket } from './qemu-words.ts';
import { findSupplied } from './supplied-files.ts';
import type { SuppliedFile } from './supplied-files.ts';
import { VmmSandbox } from './vmm-sandbox.ts';

/** The program. It is in no distribution: the user has it from its release. */
export const CLOUD_HYPERVISOR_FILE: SuppliedFile = {
  variable: 'LOCKSTEP_CLOUD_HYPERVISOR',
  place: 'cloud-hypervisor/cloud-hypervisor',
  what: 'Cloud Hypervisor',
};

/**
 * A Linux guest in Cloud Hypervisor, on the user's own kernel, which must have virtio over PCI
 * built in. By default the command line says it all, so that the gate's one command is all there is
 * to time; with LOCKSTEP_CLOUD_HYPERVISOR_START=api it starts empty, and the guest is created and
 * booted over its API. Written after its published API; none has run with it yet.
 */
export const cloudHypervisorDriver: SandboxDriver = {
  name: 'cloud-hypervisor',
  slotKind: 'tap',
  detect,
  create,
  coldFiles: async (context) => [
    await findSupplied(context, CLOUD_HYPERVISOR_FILE),
    ...(await guest.diskFiles(context)),
  ],
};

// A reset would boot the guest again instead of ending it, so a panic only halts.
const guest = linuxGuest({
  vmm: 'Cloud Hypervisor',
  words: (architecture) => [`console=${architecture === 'x64' ? 'ttyS0' : 'ttyAMA0'}`, 'panic=0'],
  addsRoot: false,
  takesPublishedKernel: false,
});

const PROBE_MEMORY_MIB = 256;
const MIB = 1024 * 1024;

function startedBy(): 'command-line' | 'api' {
  return process.env['LOCKSTEP_CLOUD_HYPERVISOR_START'] === 'api' ? 'api' : 'command-line';
}

/** All that this host lacks to run guests in Cloud Hypervisor; empty if nothing. */
export async function cloudHypervisorLacks(context: DriverContext): Promise<Lack[]> {
  const lacks: Lack[] = [];
  try {
    await readVersion(context);
  } catch (error) {
    const { message, hint } = error as LockstepError;
    lacks.push({ what: message, remedy: hint ?? 'look at the message' });
  }
  lacks.push(...(await kvmLacks()), ...(await guest.lacks(context)));
  if (lacks.length > 0) return lacks;
  const payload = await guest.probe(context);
  if (payload === undefined) return [];
  const config = vmConfig(payload, { memoryMib: PROBE_MEMORY_MIB, cpus: 1 });
  const program = await findSupplied(context, CLOUD_HYPERVISOR_FILE);
  const reason = await bootProbe([program, ...commandWords(config)]);
  if (reason === undefined) return [];
  return [
    {
      what: `KVM runs no guests here (Cloud Hypervisor's probe guest: ${reason})`,
      remedy: 'use a host with hardware virtualisation, or the sandbox microvm, which needs none',
    },
  ];
}

async function detect(context: DriverContext): Promise<Record<string, string>> {
  assertNothingLacks('cloud-hypervisor', await cloudHypervisorLacks(context));
  const modules = readKvmModules();
  return {
    version: await readVersion(context),
    accelerator: 'kvm',
    start: startedBy(),
    ...(modules.length === 0 ? {} : { 'kvm-modules': modules.join(' ') }),
    ...(await guest.describe(context)),
    cgroups: context.cgroups.mode,
  };
}

async function readVersion(context: DriverContext): Promise<string> {
  const program = await findSupplied(context, CLOUD_HYPERVISOR_FILE);
  const { stdout } = await runCommand([program, '--version']);
  const version = /^cloud-hypervisor v?(\S+)/m.exec(stdout)?.[1];
  if (version !== undefined) return version;
  throw new LockstepError(
    'SANDBOX_UNAVAILABLE',
    `${program} does not say that it is Cloud Hypervisor`,
    { hint: `name the program of its release in ${CLOUD_HYPERVISOR_FILE.variable}` },
  );
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { cgroups, scratchFolder } = context;
  const { functionRoot, id, limits, slot } = spec;
  await assertRunnable(functionRoot);
  const program = await findSupplied(context, CLOUD_HYPERVISOR_FILE);
  const socketFile = join(scratchFolder, `${id}.api`);
  if (!fitsSocket(socketFile)) {
    throw new LockstepError('SANDBOX_FAILED', `no socket can have the path ${socketFile}`, {
      hint: 'give the agent a folder with a shorter path',
    });
  }
  const config = vmConfig(await guest.payload(context, spec), limits, slot);
  const dispose = async (): Promise<void> => {
    for (const { path } of config.disks) await rm(path, { force: true });
    await rm(socketFile, { force: true });
  };
  const isAsked = startedBy() === 'api';
  const socketWords = ['--api-socket', `path=${socketFile}`];
  try {
    await cgroups.create(id, { ...limits, memoryMib: limits.memoryMib + QEMU_MEMORY_MIB });
    const gate = await Gate.create({
      command: [program, ...socketWords, ...(isAsked ? [] : commandWords(config))],
      joinFiles: cgroups.joinFiles(id),
      onPhase: (phase, atMonoNs) => {
        observer.onPhase(phase, atMonoNs);
      },
    });
    const api = new CloudHypervisorApi(socketFile);
    return new VmmSandbox(
      {
        ...{ id, gate, cgroups, dispose, commandIs: 'sandbox' },
        networkInterface: slot.interfaceName,
        vmm: { vcpus: Math.ceil(limits.cpus), vcpuThreadPrefix: 'vcpu' },
        requestStop: () => {
          gate.kill('SIGTERM');
          return Promise.resolve();
        },
      },
      observer,
      {
        ...(isAsked ? { configure: () => api.boot(config) } : {}),
        close: () => {
          api.close();
        },
      },
    );
  } catch (error) {
    return undo([dispose, () => cgroups.remove(id), () => cgroups.killAll(id)], error);
  }
}

function vmConfig(
  { bootArgs, drives, initrdFile, kernelFile }: GuestPayload,
  { cpus, memoryMib }: SandboxSpec['limits'],
  slot?: SandboxSpec['slot'],
): VmConfig {
  const vcpus = Math.ceil(cpus);
  return {
    payload: {
      kernel: kernelFile,
      cmdline: bootArgs,
      ...(initrdFile === undefined ? {} : { initramfs: initrdFile }),
    },
    cpus: { boot_vcpus: vcpus, max_vcpus: vcpus },
    memory: { size: memoryMib * MIB },
    disks: drives.map(({ file, isReadOnly }) => ({ path: file, readonly: isReadOnly })),
    net: slot === undefined ? [] : [networkOf(slot)],
    serial: { mode: 'Tty' },
    console: { mode: 'Off' },
  };
}

// It gives the tap an address if it does not see that it is there; then this must be its own.
function networkOf(slot: SandboxSpec['slot']): VmConfig['net'][number] {
  const mask = netmask(slot.prefixLength);
  return { tap: slot.interfaceName, ip: slot.gatewayAddress, mask, mac: slot.macAddress };
}

/** The same configuration as words of its command line. */
function commandWords(config: VmConfig): string[] {
  const { cpus, disks, memory, net, payload } = config;
  const fields = (values: Record<string, string>): string =>
    Object.entries(values)
      .map(([name, value]) => `${name}=${value}`)
      .join(',');
  return [
    ...['--kernel', payload.kernel, '--cmdline', payload.cmdline],
    ...(payload.initramfs === undefined ? [] : ['--initramfs', payload.initramfs]),
    ...['--cpus', `boot=${cpus.boot_vcpus},max=${cpus.max_vcpus}`],
    ...['--memory', `size=${memory.size / MIB}M`],
    ...disks.flatMap(({ path, readonly }) => [
      '--disk',
      `path=${path},readonly=${readonly ? 'on' : 'off'}`,
    ]),
    ...net.flatMap((one) => ['--net', fields(one)]),
    ...['--serial', 'tty', '--console', 'off'],
  ];
}
