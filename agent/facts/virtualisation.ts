import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceFacts } from '../../schemas/device.ts';
import type { SandboxAvailability } from '../../schemas/sandbox.ts';
import { readKvmModules } from '../collectors/kvm-modules.ts';
import { boundedText, known, readFact, readTextFact } from './sources.ts';
import type { FactRoots } from './sources.ts';

type Kvm = NonNullable<DeviceFacts['kvm']>;

/** How hypervisors call the machines that they pretend, in DMI; the first that matches counts. */
const HYPERVISORS: readonly (readonly [RegExp, string])[] = [
  [/KVM|QEMU|OpenStack|KubeVirt/, 'kvm'],
  [/Amazon EC2/, 'amazon'],
  [/Google Compute/, 'google'],
  [/VMware|VMW/, 'vmware'],
  [/innotek|VirtualBox|Oracle/, 'virtualbox'],
  [/Microsoft Corporation Virtual/, 'hyper-v'],
  [/Xen/, 'xen'],
  [/Apple Virtualization/, 'apple'],
  [/BHYVE/i, 'bhyve'],
  [/Parallels/, 'parallels'],
];

/** What the machine itself runs in, as far as it shows. */
export function readVirtualisation(
  roots: FactRoots,
): Pick<DeviceFacts, 'hypervisor' | 'container'> {
  return known({ hypervisor: readHypervisor(roots), container: readContainer(roots) });
}

function readHypervisor(roots: FactRoots): string | undefined {
  const told = readTextFact(join(roots.sys, 'hypervisor/type'));
  if (told !== undefined) return told;
  const tree = readTextFact(join(roots.proc, 'device-tree/hypervisor/compatible'));
  if (tree !== undefined) return tree.replace(/^linux,/, '');
  const dmi = ['sys_vendor', 'product_name', 'bios_vendor']
    .map((name) => readFact(join(roots.sys, 'class/dmi/id', name)) ?? '')
    .join(' ');
  const isBareMetal = /\bmetal\b/.test(dmi);
  const named = HYPERVISORS.find(([pattern]) => !isBareMetal && pattern.test(dmi))?.[1];
  if (named !== undefined) return named;
  // Every x86 processor of a virtual machine has this flag; there is no such flag on ARM.
  const flags = /^flags\s*:(.*)$/m.exec(readFact(join(roots.proc, 'cpuinfo')) ?? '')?.[1];
  if (flags === undefined) return undefined;
  return /\bhypervisor\b/.test(flags) ? 'unknown' : 'none';
}

/** Signs that container managers leave in what they start. */
function readContainer(roots: FactRoots): string | undefined {
  const told = readTextFact(join(roots.run, 'systemd/container'));
  if (told !== undefined) return told;
  if (existsSync(join(roots.run, '.containerenv'))) return 'podman';
  if (/kubepods/.test(readFact(join(roots.proc, 'self/cgroup')) ?? '')) return 'kubernetes';
  return existsSync(join(roots.proc, '1/root/.dockerenv')) ? 'docker' : undefined;
}

/** What can be known of KVM without starting a guest. */
export function readKvmFact(roots: FactRoots): Kvm {
  const modules = readKvmModules(roots.sys);
  const isBuiltIn = modules.length === 0 && existsSync(join(roots.sys, 'module/kvm'));
  return known({
    module: isBuiltIn ? 'kvm' : boundedText(modules.join(' ')) || undefined,
    isAccessible: mayUse(join(roots.dev, 'kvm')),
  });
}

/**
 * Facts with what came of booting a guest under KVM, which the probe of the microVM sandbox does.
 * Where it found no way to try, nothing is said.
 */
export function withGuestBoot(
  facts: DeviceFacts,
  sandboxes: readonly SandboxAvailability[],
): DeviceFacts {
  const { kvm } = facts;
  const microvm = sandboxes.find(({ name }) => name === 'microvm');
  if (kvm === undefined || microvm?.available !== true) return facts;
  const { accelerator, 'kvm-unused': reason } = microvm.details;
  if (accelerator === 'kvm') return { ...facts, kvm: { ...kvm, guestBoots: true } };
  if (reason === undefined) return facts;
  return { ...facts, kvm: { ...kvm, guestBoots: false, reason: boundedText(reason) } };
}

function mayUse(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
