import { closeSync, openSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessageOf } from '../../schemas/errors.ts';
import type { Reading, Roots, SandboxTarget, Unavailable } from './collector.ts';
import { readSandboxProcesses } from './vmm-process.ts';

const FILES_MAX = 512;
const WRITABLE_BITS = 0o222;

/**
 * Finds out whether the counters of KVM in debugfs can be read. Returns why not, or undefined.
 * Source: the kernel's virt/kvm/kvm_main.c; kernel_lockdown(7).
 */
export function debugfsUnavailable(roots: Roots): Unavailable | undefined {
  const folder = debugfsFolder(roots);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') {
      return { unavailable: `${folder} is for root only`, remedy: 'run the agent as root' };
    }
    return {
      unavailable: `${folder} is not there`,
      remedy: 'mount -t debugfs none /sys/kernel/debug',
    };
  }
  // The sums over all guests are always there, and as readable as those of one.
  const probe = names.map((name) => join(folder, name)).find(isCounter);
  if (probe === undefined) return { unavailable: `there is no counter in ${folder}` };
  try {
    closeSync(openSync(probe, 'r'));
    return undefined;
  } catch (error) {
    const lockdown = readLockdown(roots);
    if (lockdown === undefined) return { unavailable: `${probe}: ${errorMessageOf(error)}` };
    return {
      unavailable: `the kernel is locked down (${lockdown}) and refuses ${probe}`,
      remedy: 'boot without lockdown, which Secure Boot switches on',
    };
  }
}

function debugfsFolder(roots: Roots): string {
  return join(roots.sys, 'kernel', 'debug', 'kvm');
}

function isCounter(file: string): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  return found?.isFile() === true && (found.mode & WRITABLE_BITS) !== 0;
}

function readLockdown(roots: Roots): string | undefined {
  try {
    const text = readFileSync(join(roots.sys, 'kernel', 'security', 'lockdown'), 'latin1');
    const level = /\[(\w+)\]/.exec(text)?.[1];
    return level === 'none' ? undefined : level;
  } catch {
    return undefined;
  }
}

/** Statistics of KVM of one guest by debugfs: of all its vCPUs together, without kind and unit. */
export class KvmDebugfsReader {
  readonly #target: SandboxTarget;
  readonly #folder: string;
  #guestFolder: string | undefined;

  constructor(target: SandboxTarget, roots: Roots) {
    this.#target = target;
    this.#folder = debugfsFolder(roots);
  }

  /** Takes one reading. */
  async read(): Promise<Reading[] | 'absent' | 'ended'> {
    const hadBegun = this.#guestFolder !== undefined;
    this.#guestFolder ??= await this.#findGuest();
    if (this.#guestFolder === undefined) return 'absent';
    const readings: Reading[] = [];
    try {
      for (const name of (await readdir(this.#guestFolder)).slice(0, FILES_MAX)) {
        const reading = await readStat(join(this.#guestFolder, name), name);
        if (reading !== undefined) readings.push(reading);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return hadBegun ? 'ended' : 'absent';
    }
    return readings;
  }

  // The folder of a guest is named after the process that made it and its descriptor.
  async #findGuest(): Promise<string | undefined> {
    const processes = new Set(readSandboxProcesses(this.#target));
    const names = await readdir(this.#folder);
    const name = names.find((one) => processes.has(/^(\d+)-\d+$/.exec(one)?.[1] ?? ''));
    return name === undefined ? undefined : join(this.#folder, name);
  }
}

async function readStat(file: string, name: string): Promise<Reading | undefined> {
  // Of a histogram only the first bucket is there.
  if (name.endsWith('_hist')) return undefined;
  const found = await stat(file);
  if (!found.isFile()) return undefined;
  const text = (await readFile(file, 'latin1')).trim();
  if (!/^\d{1,20}$/.test(text)) return undefined;
  // What can be set back to zero is a sum or a peak; what can't is as it is now.
  const isSum = (found.mode & WRITABLE_BITS) !== 0 && !name.startsWith('max_');
  const isTime = isSum && name.endsWith('_ns');
  const attributes = { 'lockstep.stat': name };
  if (isTime) return { metric: 'lockstep.kvm.time', attributes, value: Number(text) / 1e9 };
  return {
    metric: isSum ? 'lockstep.kvm.count' : 'lockstep.kvm.level',
    attributes,
    value: Number(text),
  };
}
