import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Architecture } from '../../schemas/artefact.ts';
import { neutralEnvironment } from './command.ts';
import type { GuestImages, GuestKernel } from './guest-image.ts';
import { PROBE_MARKER, probeInit } from './probe-init.ts';
import { qemuCommand } from './qemu-command.ts';
import type { KernelForm } from './qemu-command.ts';
import type { Accelerator } from './qemu-words.ts';

/** What the probe found. */
export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  /** Why KVM is not used. Absent if it is. */
  readonly reason?: string;
}

const PROBE_TIMEOUT_MS = 6_000;
const PROBE_MEMORY_MIB = 256;
const OUTPUT_CHARACTERS_MAX = 64 * 1024;

/**
 * Finds out whether guests run under KVM, by letting one boot and run a program. That /dev/kvm is
 * there proves little: in many virtual machines it can be opened, but every guest dies.
 */
export async function chooseAccelerator(
  architecture: Architecture,
  kernel: GuestKernel & { readonly form?: KernelForm },
  images: GuestImages,
): Promise<AcceleratorChoice> {
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return { accelerator: 'tcg', reason: '/dev/kvm is not there or not accessible' };
  }
  const initramfsFile = await images.forProgram('/probe', probeInit(architecture));
  const reason = await bootProbe(
    qemuCommand({
      architecture,
      accelerator: 'kvm',
      kernelFile: kernel.kernelFile,
      kernelForm: kernel.form ?? 'modular',
      initramfsFile,
      memoryMib: PROBE_MEMORY_MIB,
      processors: 1,
      init: ['/probe'],
    }),
  );
  return reason === undefined ? { accelerator: 'kvm' } : { accelerator: 'tcg', reason };
}

/** Boots a guest until it prints the marker. Returns why it did not, or undefined if it did. */
export async function bootProbe(command: readonly string[]): Promise<string | undefined> {
  const [program = '', ...words] = command;
  const child = spawn(program, words, {
    env: neutralEnvironment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
      if (output.includes(PROBE_MARKER)) resolve(undefined);
      // QEMU stops such a guest but goes on itself.
      const fatal = /^.*(?:KVM internal error|kvm.*failed|error: kvm).*$/im.exec(output)?.[0];
      if (fatal !== undefined) resolve(fatal.trim().slice(0, 200));
    });
  }
  child.once('error', (error) => {
    resolve(error.message);
  });
  const closed = new Promise<void>((done) => {
    child.once('close', () => {
      resolve(`the probe guest ended: ${output.trim().slice(-150)}`);
      done();
    });
  });
  const timer = setTimeout(() => {
    resolve(`the probe guest did not come up within ${PROBE_TIMEOUT_MS} ms`);
  }, PROBE_TIMEOUT_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
    await closed;
  }
}
