import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants, existsSync } from 'node:fs';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxTarget } from '../../../agent/collectors/collector.ts';
import { qemuCommand } from '../../../agent/sandboxes/qemu-command.ts';
import { VCPU_THREAD_PREFIX } from '../../../agent/sandboxes/qemu-words.ts';
import { errorMessageOf } from '../../../schemas/errors.ts';
import type { Accelerator } from '../../../agent/sandboxes/qemu-words.ts';

const SECTOR_BYTES = 512;
const VCPUS = 2;
const SOCKET_TIMEOUT_MS = 10_000;

// Writes to a port 4096 times, waits for the next interrupt of the timer, and begins again.
const PROGRAM = [
  0xfb, // sti
  ...[0xb9, 0x00, 0x10], // mov cx, 0x1000
  ...[0xe6, 0x80], // out 0x80, al
  ...[0xe2, 0xfc], // loop, to the line before
  0xf4, // hlt
  ...[0xeb, 0xf5], // jmp, to the beginning
];

/** The boot sector of a PC, with {@link PROGRAM} in it. */
function bootSector(): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  Buffer.from(PROGRAM).copy(sector);
  sector.writeUInt16LE(0xaa_55, SECTOR_BYTES - 2);
  return sector;
}

/** A QEMU that runs a boot sector, and what a collector is told of it. */
export interface Guest {
  readonly target: SandboxTarget;
  readonly processId: number;
  /** Ends the QEMU; safe to call twice. */
  end(): Promise<void>;
  /** Ends it, if need be, and removes its files. */
  remove(): Promise<void>;
}

/** Why no such guest can run here. Undefined if one can. */
export async function whyNoGuest(accelerator: Accelerator): Promise<string | undefined> {
  if (process.arch !== 'x64') return 'the boot sector is for a PC';
  if (!existsSync('/usr/bin/qemu-system-x86_64')) return 'there is no qemu-system-x86_64';
  if (accelerator === 'tcg') return undefined;
  return access('/dev/kvm', constants.R_OK | constants.W_OK).then(() => undefined, errorMessageOf);
}

/**
 * Starts a QEMU with the command line of the microvm driver, but a boot sector instead of a kernel:
 * there are machines whose KVM runs no more than that. As root it gets a mount namespace of its
 * own, with its socket in it at a path as long as there can be. It ends with this process.
 */
export async function startGuest(accelerator: Accelerator): Promise<Guest> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-guest-'));
  const inner = join(folder, 'private'.padEnd(75 - folder.length, '-'));
  await mkdir(inner);
  const sector = join(folder, 'sector.img');
  await writeFile(sector, bootSector());
  const qmpSocket = join(inner, `${accelerator}-guest-of-a-test.qmp`);
  const child = spawn(
    'setpriv',
    [
      '--pdeathsig',
      'KILL',
      '--',
      ...isolation(inner),
      ...[...bootSectorCommand(accelerator, sector, qmpSocket)],
    ],
    { stdio: 'ignore' },
  );
  const processId = child.pid ?? 0;
  await writeFile(join(folder, 'cgroup.procs'), `${processId}\n`);
  const end = (): Promise<void> => endChild(child);
  const guest: Guest = {
    processId,
    target: {
      index: 0,
      id: 'guest',
      cgroup: { mode: 'v1', processes: folder },
      vmm: {
        vcpus: VCPUS,
        vcpuThreadPrefix: VCPU_THREAD_PREFIX,
        ...(accelerator === 'kvm' ? { qmpSocket } : { kvmUnavailable: 'the guest is translated' }),
      },
    },
    end,
    remove: async () => {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await awaitSocket(join('/proc', String(processId), 'root', qmpSocket), child);
  } catch (error) {
    await guest.remove();
    throw error;
  }
  return guest;
}

function isolation(folder: string): string[] {
  if (process.getuid?.() !== 0) return [];
  const script = 'mount -t tmpfs lockstep "$1" && shift && exec "$@"';
  const namespace = ['unshare', '--mount', '--propagation', 'private', '--'];
  return [...namespace, '/bin/sh', '-c', script, 'guest', folder];
}

// The driver's words, but for the machine: firmware that reads a disk is on a PC only.
function bootSectorCommand(accelerator: Accelerator, sector: string, qmpSocket: string): string[] {
  const words = qemuCommand({
    architecture: 'x64',
    accelerator,
    kernelFile: '',
    initramfsFile: '',
    memoryMib: 16,
    processors: VCPUS,
    init: ['/none'],
    qmpSocket,
  });
  const replaced: Record<string, string> = { '-M': 'pc', '-serial': 'null' };
  const left = ['-kernel', '-initrd', '-append', '-cpu'];
  const command: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!;
    if (left.includes(word)) index += 1;
    else {
      command.push(word);
      if (word in replaced) {
        command.push(replaced[word]!);
        index += 1;
      }
    }
  }
  return [...command, '-drive', `file=${sector},format=raw,if=floppy`];
}

async function awaitSocket(path: string, child: ChildProcess): Promise<void> {
  const giveUpAtMs = performance.now() + SOCKET_TIMEOUT_MS;
  while (!existsSync(path)) {
    if (child.exitCode !== null) throw new Error(`QEMU ended with ${child.exitCode}`);
    if (performance.now() > giveUpAtMs) throw new Error(`QEMU made no ${path}`);
    await delay(10);
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
