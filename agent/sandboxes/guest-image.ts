import { mkdir, open, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Architecture } from '../../schemas/artefact.ts';
import { LockstepError } from '../../schemas/errors.ts';
import type { FunctionRoot } from './function-root.ts';
import { functionBinary, functionCommand } from './function-root.ts';
import { pivotProgram } from './guest-pivot.ts';
import { writeInitramfs } from './initramfs.ts';
import type { InitramfsEntry } from './initramfs.ts';

/** The kernel of all microVM guests of a runner. */
export interface GuestKernel {
  readonly kernelFile: string;
  /** What the kernel calls itself, e.g. `6.1.0-50-cloud-amd64`. */
  readonly version: string;
  /** Kernel modules, in the order to load them. */
  readonly moduleFiles: readonly string[];
}

/** Path of the function in a guest. */
export const GUEST_FUNCTION = '/function';

/**
 * Looks for the kernel in the folder of its artefact.
 *
 * @throws LockstepError SANDBOX_UNAVAILABLE if there is none.
 */
export async function findGuestKernel(folder: string | undefined): Promise<GuestKernel> {
  const hint = 'build and publish the artefact guest-kernel; see `lockstep doctor`';
  if (folder === undefined) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', 'there is no kernel for microVM guests', {
      hint,
    });
  }
  for (const name of ['vmlinux', 'vmlinuz']) {
    const kernelFile = join(folder, name);
    const version = await readKernelVersion(kernelFile);
    if (version === undefined) continue;
    const modules = await readdir(join(folder, 'modules')).catch(() => []);
    return {
      kernelFile,
      version,
      moduleFiles: modules
        .filter((module) => module.endsWith('.ko'))
        .sort()
        .map((module) => join(folder, 'modules', module)),
    };
  }
  throw new LockstepError('SANDBOX_UNAVAILABLE', `${folder} has no vmlinux and no vmlinuz`, {
    hint,
  });
}

const VERSION_CHUNK_BYTES = 4 * 1024 * 1024;
const VERSION_OVERLAP_BYTES = 256;

// The banner stands somewhere in an uncompressed kernel; a compressed one has the version behind
// its boot header, without the words in front.
/**
 * The version that a kernel's file has in it; `unknown` if it has none. Absent if there is no file.
 */
export async function readKernelVersion(file: string): Promise<string | undefined> {
  const handle = await open(file).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const chunk = Buffer.alloc(VERSION_CHUNK_BYTES);
    for (let position = 0; ; position += VERSION_CHUNK_BYTES - VERSION_OVERLAP_BYTES) {
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
      const text = chunk.toString('latin1', 0, bytesRead);
      const match = /(?:Linux version |\0)(\d+\.\d+\.\d+[\w.+-]*) \(/.exec(text);
      if (match?.[1] !== undefined) return match[1];
      if (bytesRead < chunk.length) return 'unknown';
    }
  } finally {
    await handle.close();
  }
}

// What every guest has in it: the kernel opens the console before it starts the first program, and
// the devices without state are what programs take for granted.
const BASE: readonly InitramfsEntry[] = [
  { kind: 'folder', path: '/dev' },
  { kind: 'characterDevice', path: '/dev/console', major: 5, minor: 1 },
  { kind: 'characterDevice', path: '/dev/null', major: 1, minor: 3 },
  { kind: 'characterDevice', path: '/dev/zero', major: 1, minor: 5 },
  { kind: 'characterDevice', path: '/dev/random', major: 1, minor: 8 },
  { kind: 'characterDevice', path: '/dev/urandom', major: 1, minor: 9 },
  { kind: 'folder', path: '/proc' },
  { kind: 'folder', path: '/sys' },
  { kind: 'folder', path: '/tmp' },
];

/** The initial RAM file systems of a runner's guests; each is written once and then kept. */
export class GuestImages {
  readonly #folder: string;
  readonly #files = new Map<string, Promise<string>>();

  /** @param folder where to keep them; on the runner's private tmpfs. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * The file with a function, its data, and the kernel's modules.
   *
   * @throws LockstepError IMAGE_INVALID if the function's program is not a static one.
   */
  async forFunction(functionRoot: FunctionRoot, kernel: GuestKernel): Promise<string> {
    assertStatic(functionRoot);
    return this.#keep(functionRoot.digest.replace(/^sha256:/, ''), async () => {
      const modules = kernel.moduleFiles.filter((file) => !file.endsWith(DISK_MODULE));
      return [
        ...BASE,
        ...(await moduleEntries(modules)),
        programEntry(GUEST_FUNCTION, await readFile(functionBinary(functionRoot))),
        ...(await dataEntries(functionRoot)),
      ];
    });
  }

  /**
   * The file with the kernel's modules and the small program that goes over to a disk.
   *
   * @param programPath of the program to become, and of the small one.
   * @throws LockstepError SANDBOX_UNAVAILABLE if the kernel has no driver for disks.
   */
  async forPivot(kernel: GuestKernel, programPath: string): Promise<string> {
    if (!kernel.moduleFiles.some((file) => file.endsWith(DISK_MODULE))) {
      throw new LockstepError(
        'SANDBOX_UNAVAILABLE',
        `the guest kernel ${kernel.version} came without its module virtio_blk`,
        {
          hint:
            'remove the folder kernel-* below .tools and set up again, or name a kernel with ' +
            'virtio and ext4 in it in LOCKSTEP_GUEST_VMLINUX',
        },
      );
    }
    const name = `pivot-${Buffer.from(programPath).toString('hex')}`;
    return this.#keep(name, async () => {
      const modules = await moduleEntries(kernel.moduleFiles);
      const program = pivotProgram(Architecture.parse(process.arch), {
        modulePaths: modules.filter(({ kind }) => kind === 'file').map(({ path }) => path),
        mountPoint: MOUNT_POINT,
        programPath,
      });
      const folders = parentFolders([programPath]);
      const mountPoint: InitramfsEntry = { kind: 'folder', path: MOUNT_POINT };
      return [...BASE, mountPoint, ...modules, ...folders, programEntry(programPath, program)];
    });
  }

  /** The file with nothing but this program in it. */
  async forProgram(path: string, content: Uint8Array): Promise<string> {
    return this.#keep('probe', () => Promise.resolve([...BASE, programEntry(path, content)]));
  }

  #keep(name: string, entries: () => Promise<InitramfsEntry[]>): Promise<string> {
    const known = this.#files.get(name);
    if (known !== undefined) return known;
    const file = this.#write(name, entries);
    this.#files.set(name, file);
    // A failure is for who asked; the next one may have more luck.
    file.catch(() => this.#files.delete(name));
    return file;
  }

  async #write(name: string, entries: () => Promise<InitramfsEntry[]>): Promise<string> {
    const file = join(this.#folder, `${name}.cpio`);
    await mkdir(this.#folder, { recursive: true });
    await writeFile(`${file}.part`, writeInitramfs(await entries()));
    await rename(`${file}.part`, file);
    return file;
  }
}

// Where the disk is mounted before it becomes the root.
const MOUNT_POINT = '/disk';

/** What only a guest with a disk needs. */
const DISK_MODULE = '-virtio_blk.ko';

function assertStatic({ manifest }: FunctionRoot): void {
  if (manifest.staticBinary) return;
  throw new LockstepError(
    'IMAGE_INVALID',
    `the program of function ${manifest.name} is not a static one, which a microVM needs`,
    { hint: 'measure it in other sandboxes, or build it as a static program' },
  );
}

async function moduleEntries(files: readonly string[]): Promise<InitramfsEntry[]> {
  const modules = await Promise.all(
    files.map(async (file, index): Promise<InitramfsEntry> => {
      const path = `/modules/${String(index).padStart(2, '0')}.ko`;
      return { kind: 'file', path, executable: false, content: await readFile(file) };
    }),
  );
  return [{ kind: 'folder', path: '/modules' }, ...modules];
}

/** The files of a function beside its program. */
async function dataEntries(functionRoot: FunctionRoot): Promise<InitramfsEntry[]> {
  const program = functionCommand(functionRoot, '')[0];
  const files = functionRoot.manifest.files.filter(({ path }) => path !== program);
  const entries: InitramfsEntry[] = [];
  for (const { mode, path } of files) {
    const content = await readFile(join(functionRoot.folder, path));
    entries.push({ kind: 'file', path, executable: (mode & 0o111) !== 0, content });
  }
  return [...parentFolders(files.map(({ path }) => path)), ...entries];
}

/** The folders that these files are in, parents first, without those that every guest has. */
function parentFolders(paths: readonly string[]): InitramfsEntry[] {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) folders.add(folder);
  }
  for (const { path } of BASE) folders.delete(path);
  return [...folders].toSorted().map((path) => ({ kind: 'folder', path }));
}

function programEntry(path: string, content: Uint8Array): InitramfsEntry {
  return { kind: 'file', path, executable: true, content };
}
