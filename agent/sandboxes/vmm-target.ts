import { join } from 'node:path';
import type { VmmTarget } from '../collectors/collector.ts';
import type { DriverContext, SandboxSpec } from './driver.ts';
import type { AcceleratorChoice } from './kvm-probe.ts';
import { VCPU_THREAD_PREFIX, fitsSocket } from './qemu-words.ts';

const REASON_CHARACTERS_MAX = 400;

/**
 * What can be sampled of a QEMU. It has a socket to be asked by only under KVM: a translated guest
 * has no counters there, so nobody would ask.
 */
export function vmmTarget(
  { scratchFolder }: Pick<DriverContext, 'scratchFolder'>,
  { id, limits }: Pick<SandboxSpec, 'id' | 'limits'>,
  { accelerator, reason }: AcceleratorChoice,
): VmmTarget {
  const common = { vcpus: Math.ceil(limits.cpus), vcpuThreadPrefix: VCPU_THREAD_PREFIX };
  const without = (why: string): VmmTarget => ({
    ...common,
    kvmUnavailable: why.slice(0, REASON_CHARACTERS_MAX),
  });
  if (accelerator === 'tcg') {
    const why = reason === undefined ? '' : `: ${reason}`;
    return without(`the guest is translated (TCG) and does not run under KVM${why}`);
  }
  const qmpSocket = join(scratchFolder, `${id}.qmp`);
  if (fitsSocket(qmpSocket)) return { ...common, qmpSocket };
  return without(`no socket can have a path as long as ${qmpSocket}`);
}
