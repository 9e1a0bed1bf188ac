import { SYSTEM_ROOTS } from '../collectors/collector.ts';
import type { SandboxTarget } from '../collectors/collector.ts';
import { kvm } from '../collectors/kvm.ts';
import type { Findings } from './findings.ts';
import type { InstanceLife } from './instance-life.ts';

/** The counter of KVM that every way of reading it has. */
const EXITS = 'exits';

/**
 * Measures how often each virtual machine was left until now, from the counters of KVM. Where there
 * are none, the condition `guest-exits` says why. Never rejects.
 */
export async function measureGuestExits(
  lives: readonly InstanceLife[],
  findings: Findings,
): Promise<void> {
  for (const life of lives) {
    const target = life.target();
    const exits = await readExits(target);
    if (typeof exits === 'string') findings.condition('guest-exits', `not measured: ${exits}`);
    else findings.measure('guest.exits', exits, { instance: target.index });
  }
}

/** The number of exits, or why it is not known. */
async function readExits(target: SandboxTarget): Promise<number | string> {
  const source = kvm.open(target, SYSTEM_ROOTS);
  if ('unavailable' in source) return source.unavailable;
  if (source.pace !== 'slow') throw new Error('the counters of KVM are a slow source');
  try {
    const readings = await source.read();
    if (typeof readings === 'string') return 'the virtual machine did not tell its counters';
    const exits = readings.filter(({ attributes }) => attributes?.['lockstep.stat'] === EXITS);
    if (exits.length === 0) return 'KVM counts no exits here';
    return exits.reduce((sum, { value }) => sum + value, 0);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await source.close();
  }
}
