import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import type { DriverContext, SandboxSpec } from './driver.ts';
import { functionBinary, functionCommand, functionCommandLine } from './function-root.ts';
import { findSupplied } from './supplied-files.ts';

/** What the user supplies for Nanos: all are made by its build, or come with its releases. */
export interface NanosFiles {
  readonly kernel: string;
  /** The tool that makes images. */
  readonly mkfs: string;
  /** The first sectors of an image, for machines that boot from the disk. */
  readonly boot: string;
}

const SUPPLIED = {
  kernel: {
    variable: 'LOCKSTEP_NANOS_KERNEL',
    place: 'nanos/kernel.img',
    what: "Nanos' kernel",
  },
  mkfs: { variable: 'LOCKSTEP_NANOS_MKFS', place: 'nanos/mkfs', what: "Nanos' image tool" },
  boot: { variable: 'LOCKSTEP_NANOS_BOOT', place: 'nanos/boot.img', what: "Nanos' boot image" },
} as const;

/** Room for what a function writes, MiB. */
const FREE_MIB = 64;
const MIB = 1024 * 1024;
const TIMEOUT_MS = 30_000;

/**
 * Finds what the user supplies for Nanos.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if a file is missing.
 */
export async function findNanosFiles(
  context: Pick<DriverContext, 'imagesFolder'>,
): Promise<NanosFiles> {
  return {
    kernel: await findSupplied(context, SUPPLIED.kernel),
    mkfs: await findSupplied(context, SUPPLIED.mkfs),
    boot: await findSupplied(context, SUPPLIED.boot),
  };
}

/**
 * Writes a raw disk image with boot sectors, kernel, the function's files and its addresses.
 *
 * @throws LockstepError SANDBOX_FAILED with what the tool said, IMAGE_INVALID if a path can't stand
 * in a manifest.
 */
export async function writeNanosDisk(
  files: NanosFiles,
  spec: SandboxSpec,
  diskFile: string,
): Promise<void> {
  const { manifest } = spec.functionRoot;
  const contentBytes = manifest.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const sizeMib = Math.ceil((2 * contentBytes) / MIB) + FREE_MIB;
  await runCommand(
    [files.mkfs, '-b', files.boot, '-k', files.kernel, '-s', `${sizeMib}M`, diskFile],
    { input: nanosManifest(spec), timeoutMs: TIMEOUT_MS },
  );
}

interface Folder {
  readonly files: Map<string, string>;
  readonly folders: Map<string, Folder>;
}

/** What the tool makes an image of: the tree of files, the command, and the address. */
export function nanosManifest(spec: SandboxSpec): string {
  const { functionRoot, slot } = spec;
  const root: Folder = { files: new Map(), folders: new Map() };
  for (const name of ['dev', 'etc', 'proc', 'sys', 'tmp']) folderAt(root, [name]);
  const program = functionCommand(functionRoot, '')[0] ?? '';
  place(root, program, functionBinary(functionRoot));
  for (const { path } of functionRoot.manifest.files) {
    if (path !== program) place(root, path, join(functionRoot.folder, path));
  }
  const words = functionCommandLine(spec, '').map((word) => quote(word));
  return [
    `(${children(root)}`,
    `program:${quote(program)}`,
    `arguments:[${words.join(' ')}]`,
    'environment:(HOME:"/")',
    `en1:(ipaddr:${slot.address} netmask:${netmask(slot.prefixLength)} ` +
      `gateway:${slot.gatewayAddress}))`,
    '',
  ].join('\n');
}

function place(root: Folder, path: string, hostPath: string): void {
  const names = path.split('/').filter(Boolean);
  const name = names.pop() ?? '';
  folderAt(root, names).files.set(name, hostPath);
}

function folderAt(root: Folder, names: readonly string[]): Folder {
  let folder = root;
  for (const name of names) {
    let next = folder.folders.get(name);
    if (next === undefined) {
      next = { files: new Map(), folders: new Map() };
      folder.folders.set(name, next);
    }
    folder = next;
  }
  return folder;
}

function children(folder: Folder): string {
  const entries = [
    ...[...folder.folders].map(([name, inner]) => `${quote(name)}:(${children(inner)})`),
    ...[...folder.files].map(([name, path]) => `${quote(name)}:(contents:(host:${quote(path)}))`),
  ];
  return `children:(${entries.join(' ')})`;
}

function quote(text: string): string {
  if (!/["\\\n]/.test(text)) return `"${text}"`;
  throw new LockstepError('IMAGE_INVALID', `a manifest of Nanos can't have ${text} in it`, {
    hint: 'use names without quotes and backslashes',
  });
}

/** A prefix length in the form of an address, e.g. 30 as 255.255.255.252. */
export function netmask(prefixLength: number): string {
  const bits = (0xffff_ffff << (32 - prefixLength)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.');
}
