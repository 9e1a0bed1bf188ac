import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin'];

/**
 * Names of this processor architecture: Node's, Debian's, the GNU triplet, and QEMU's.
 *
 * @type {Record<string, {debian: string, triplet: string, qemu: string, qemuPackage: string}>}
 */
const ARCHITECTURES = {
  x64: {
    debian: 'amd64',
    triplet: 'x86_64-linux-gnu',
    qemu: 'qemu-system-x86_64',
    qemuPackage: 'qemu-system-x86',
  },
  arm64: {
    debian: 'arm64',
    triplet: 'aarch64-linux-gnu',
    qemu: 'qemu-system-aarch64',
    qemuPackage: 'qemu-system-arm',
  },
};

/** What the set-up must know of this machine. */
export function readMachine() {
  const names = ARCHITECTURES[process.arch];
  if (process.platform !== 'linux' || names === undefined) return undefined;
  const release = parseRelease(readIfThere('/etc/os-release') ?? '');
  return {
    ...names,
    isRoot: process.getuid?.() === 0,
    codename: release.VERSION_CODENAME ?? '',
    distribution: release.ID ?? '',
    hasApt: findProgram('apt-get') !== undefined && findProgram('dpkg-deb') !== undefined,
  };
}

/** Reads `NAME=value` and `NAME="value"` lines; see os-release(5). */
export function parseRelease(text) {
  const values = {};
  for (const line of text.split('\n')) {
    const match = /^([A-Z_0-9]+)=(["']?)(.*)\2$/.exec(line.trim());
    if (match !== null) values[match[1]] = match[3];
  }
  return values;
}

/** Path of a program on PATH or in a system folder that a plain user's PATH may lack. */
export function findProgram(name, searchPath = process.env.PATH ?? '') {
  const folders = [...searchPath.split(delimiter), ...SYSTEM_FOLDERS];
  for (const folder of folders) {
    if (folder === '') continue;
    const path = join(folder, name);
    if (isExecutable(path)) return path;
  }
  return undefined;
}

/** Whether the path is a file that this process may execute. */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Whether C programs can be linked as static position-independent executables. */
export function hasStaticCompiler(triplet) {
  if (findProgram('cc') === undefined) return false;
  const folders = [`/usr/lib/${triplet}`, '/usr/lib64', '/usr/lib'];
  return folders.some((folder) => existsSync(join(folder, 'rcrt1.o')));
}

/** The text of a file; undefined if it cannot be read. */
export function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
