import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SYSTEM_ROOTS } from './collector.ts';

/**
 * Names of the modules of KVM that belong to a processor or a hypervisor: kvm_intel, kvm_amd,
 * kvm_pvm. Each has counters of its own, so figures of different modules can't be compared. Empty
 * where KVM is a part of the kernel, as on ARM, or is not there.
 */
export function readKvmModules(sys: string = SYSTEM_ROOTS.sys): string[] {
  try {
    return readdirSync(join(sys, 'module'))
      .filter((name) => name.startsWith('kvm_'))
      .sort();
  } catch {
    return [];
  }
}
