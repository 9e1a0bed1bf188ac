import type { ImageForm } from './function-image.ts';
import type { SuppliedName } from './supplied.ts';

/** What a kind of sandbox makes of a function, and what it needs beside it. */
export interface SandboxNeeds {
  /**
   * The form of its image. Absent: the device makes one for each sandbox, because the sandbox's
   * address or boot disk is in it.
   */
  readonly form?: ImageForm;
  /** Programs that must be on PATH. */
  readonly programs: readonly string[];
  /** Debian packages that hold them. */
  readonly packages: readonly string[];
  readonly supplied: readonly SuppliedName[];
  /** True if it needs hardware virtualisation. */
  readonly needsKvm?: true;
}

const none = { programs: [], packages: [], supplied: [] } as const;
const gvisor: SandboxNeeds = {
  ...none,
  ...{ form: 'tree', supplied: ['runsc'] },
};
const docker: SandboxNeeds = {
  ...none,
  ...{ form: 'oci', programs: ['dockerd'], packages: ['docker.io'] },
};
const qemuAlone: SandboxNeeds = {
  ...none,
  ...{ programs: ['qemu-system-x86_64'], packages: ['qemu-system-x86'] },
};
const qemu: SandboxNeeds = { ...qemuAlone, form: 'initramfs' };
const nanos = ['nanos-kernel', 'nanos-boot', 'nanos-mkfs'] as const;
const firecracker: SandboxNeeds = {
  ...{ form: 'ext4', programs: ['mke2fs'], packages: ['e2fsprogs'] },
  ...{ supplied: ['firecracker', 'jailer', 'kernel'], needsKvm: true },
};

/** By kind of sandbox. */
export const SANDBOX_NEEDS: Readonly<Record<string, SandboxNeeds>> = {
  process: { ...none, form: 'tree' },
  runc: { ...none, form: 'tree', programs: ['runc'], packages: ['runc'] },
  crun: { ...none, form: 'tree', programs: ['crun'], packages: ['crun'] },
  bubblewrap: { ...none, form: 'tree', programs: ['bwrap'], packages: ['bubblewrap'] },
  nspawn: {
    ...none,
    ...{ form: 'tree', programs: ['systemd-nspawn'], packages: ['systemd-container'] },
  },
  gvisor,
  'gvisor-systrap': gvisor,
  'gvisor-ptrace': gvisor,
  'gvisor-netstack': gvisor,
  'gvisor-kvm': { ...gvisor, needsKvm: true },
  docker,
  'docker-crun': {
    ...docker,
    ...{ programs: ['dockerd', 'crun'], packages: ['docker.io', 'crun'] },
  },
  'docker-gvisor': {
    ...docker,
    supplied: ['runsc'],
  },
  podman: { ...none, form: 'oci', programs: ['podman'], packages: ['podman'] },
  containerd: {
    ...none,
    ...{ form: 'oci', programs: ['containerd', 'ctr'], packages: ['containerd'] },
  },
  kata: {
    ...none,
    ...{ form: 'oci', programs: ['kata-runtime'], needsKvm: true },
  },
  microvm: qemu,
  'microvm-restored': qemu,
  'microvm-ext4': {
    ...qemu,
    form: 'ext4',
    programs: ['qemu-system-x86_64', 'mke2fs'],
    packages: ['qemu-system-x86', 'e2fsprogs'],
  },
  uml: {
    ...none,
    form: 'ext4',
    programs: ['linux.uml', 'mke2fs'],
    packages: ['user-mode-linux', 'e2fsprogs'],
  },
  firecracker,
  'firecracker-restored': firecracker,
  'cloud-hypervisor': {
    ...none,
    ...{ form: 'initramfs', supplied: ['cloud-hypervisor', 'kernel'], needsKvm: true },
  },
  nanos: { ...qemuAlone, supplied: nanos },
  osv: { ...qemuAlone, supplied: ['osv-loader'] },
  'nanos-firecracker': {
    ...none,
    ...{ supplied: ['firecracker', 'jailer', ...nanos], needsKvm: true },
  },
  'osv-firecracker': {
    ...none,
    ...{ supplied: ['firecracker', 'jailer', 'osv-loader'], needsKvm: true },
  },
  wasi: { ...none, form: 'code' },
  workerd: { ...none, form: 'code', supplied: ['workerd'] },
};
