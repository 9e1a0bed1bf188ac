import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { SandboxName } from '../../../../schemas/sandbox.ts';
import { testContract } from '../../../contract/sandboxes/contract.ts';
import { buildGuestProgram } from '../../../support/fake-firecracker/guest-program.ts';
import { writeFakeFirecracker } from '../../../support/fake-firecracker/script.ts';
import { FAKE_KERNEL } from './fake-host.ts';

/**
 * Tests that a driver keeps the contract of all drivers with the fake in the place of Firecracker.
 * It says nothing about Firecracker, but all about what the driver does around it.
 */
export async function testContractWithFake(sandbox: SandboxName): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'fake-fc-'));
  const kernel = join(folder, 'vmlinux');
  await writeFile(kernel, FAKE_KERNEL);
  const guestProgram = await buildGuestProgram().catch(() => undefined);
  // Without a compiler there is no fake, and the suite says what is missing.
  if (guestProgram !== undefined) {
    const options = { journal: join(folder, 'journal'), guestProgram };
    process.env['LOCKSTEP_FIRECRACKER'] = await writeFakeFirecracker(folder, options);
    process.env['LOCKSTEP_GUEST_VMLINUX'] = kernel;
  }
  test.after.always(() => rm(folder, { recursive: true, force: true }));
  testContract(sandbox);
}
