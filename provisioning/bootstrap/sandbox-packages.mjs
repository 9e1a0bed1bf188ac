import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from './machine.mjs';

/** Where Debian's wasi-libc has its headers. */
const WASI_HEADERS = '/usr/include/wasm32-wasi';
const LLVM_PARENT = '/usr/lib';

const DOCKER = packagesOf('docker.io', ['dockerd', 'containerd', 'runc'], ['docker.io']);
const CRUN = packagesOf('crun', ['crun'], ['crun']);
const DISKS = packagesOf('e2fsprogs', ['mke2fs', 'debugfs', 'resize2fs'], ['e2fsprogs']);

/**
 * What kinds of sandbox need of the system beside what every set-up brings, by kind. A kind with an
 * empty list needs no package: nothing more, or files that `lockstep images list` names.
 *
 * @type {Record<string, {name: string, packages: string[], isThere: () => boolean,
 *   architecture?: string}[]>}
 */
export const SANDBOX_PACKAGES = {
  process: [],
  runc: [],
  gvisor: [],
  'gvisor-ptrace': [],
  'gvisor-systrap': [],
  'gvisor-kvm': [],
  'gvisor-netstack': [],
  microvm: [],
  'microvm-restored': [],
  'microvm-ext4': [DISKS],
  bubblewrap: [packagesOf('bubblewrap', ['bwrap'], ['bubblewrap'])],
  crun: [CRUN],
  nspawn: [packagesOf('systemd-nspawn', ['systemd-nspawn'], ['systemd-container'])],
  docker: [DOCKER],
  'docker-crun': [DOCKER, CRUN],
  'docker-gvisor': [DOCKER],
  podman: [packagesOf('podman', ['podman'], ['podman'])],
  containerd: [packagesOf('containerd', ['containerd', 'ctr'], ['containerd'])],
  uml: [
    { ...packagesOf('linux.uml', ['linux.uml'], ['user-mode-linux']), architecture: 'amd64' },
    DISKS,
  ],
  nanos: [],
  osv: [],
  firecracker: [DISKS],
  'firecracker-restored': [DISKS],
  'nanos-firecracker': [],
  'osv-firecracker': [],
  'cloud-hypervisor': [],
  kata: [],
  wasi: [
    {
      name: 'clang for WebAssembly',
      packages: ['clang', 'lld', 'wasi-libc', 'libclang-rt-dev-wasm32'],
      isThere: () =>
        existsSync(WASI_HEADERS) &&
        ['clang', 'wasm-ld'].every((program) => findProgram(program) !== undefined) &&
        hasWasmRuntime(),
    },
  ],
  workerd: [],
};

/**
 * Reads the value of `--sandboxes`: `all`, or kinds of sandbox with commas between.
 *
 * @returns {string[] | undefined} the kinds; undefined if one is unknown.
 */
export function readSandboxes(text) {
  if (text === 'all') return Object.keys(SANDBOX_PACKAGES);
  const names = (text ?? '').split(',');
  return names.every((name) => Object.hasOwn(SANDBOX_PACKAGES, name)) ? names : undefined;
}

/**
 * What these kinds need, each thing once, with why it matters.
 *
 * @param {{debian: string}} machine
 * @param {readonly string[]} sandboxes
 * @returns {{name: string, packages: string[], isThere: () => boolean, why: string}[]}
 */
export function sandboxNeeds(machine, sandboxes) {
  const needs = new Map();
  for (const sandbox of sandboxes) {
    for (const { architecture, ...need } of SANDBOX_PACKAGES[sandbox] ?? []) {
      if (architecture !== undefined && architecture !== machine.debian) continue;
      const kinds = [...(needs.get(need.name)?.kinds ?? []), sandbox];
      needs.set(need.name, { ...need, kinds });
    }
  }
  return [...needs.values()].map(({ kinds, ...need }) => ({
    ...need,
    why: `Sandboxes of kind ${kinds.join(', ')} cannot be measured without it.`,
  }));
}

function packagesOf(name, programs, packages) {
  const isThere = () => programs.every((program) => findProgram(program) !== undefined);
  return { name, packages, isThere };
}

/** Whether some release of clang has its own library for WebAssembly. */
function hasWasmRuntime() {
  const versions = listIfThere(LLVM_PARENT).filter((name) => name.startsWith('llvm-'));
  return versions.some((name) => {
    const clang = join(LLVM_PARENT, name, 'lib', 'clang');
    return listIfThere(clang).some((version) => {
      const folders = ['wasi', 'wasm32-unknown-wasi', 'wasm32-wasi'];
      return folders.some((folder) => existsSync(join(clang, version, 'lib', folder)));
    });
  });
}

function listIfThere(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
