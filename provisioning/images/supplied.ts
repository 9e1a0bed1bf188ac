import type { Architecture } from '../../schemas/artefact.ts';

/** One file that nothing here can make: it is supplied by the user, or fetched by release. */
export interface SuppliedFile {
  /** What it is, for people. */
  readonly what: string;
  /** Where it stands in the images folder. */
  readonly place: string;
  /** Environment variable that may name its path instead. */
  readonly variable: string;
  /** True if it must be executable. */
  readonly isProgram?: true;
  /** Its name on PATH, where it may be as well. */
  readonly onPath?: string;
  /** Debian package that holds it. */
  readonly debianPackage?: string;
  /** Where a release of it can be had. Absent: the user builds it. */
  readonly release?: Release;
  /** Where it comes from, for who has to build it. */
  readonly source: string;
}

/** A published release. Its digest is not stated here: it is recorded at the first download. */
interface Release {
  readonly version: string;
  readonly urls: Readonly<Partial<Record<Architecture, string>>>;
  /** Its path in the archive, if the release is a compressed tar archive. */
  readonly member?: Readonly<Partial<Record<Architecture, string>>>;
}

const FIRECRACKER = '1.16.1';
const CLOUD_HYPERVISOR = '53.0';
const GVISOR = '20240826';
// The release that the study ran.
const NANOS = '0.1.45';
const CI_KERNEL = 'firecracker-ci/v1.5';
const CI_KERNEL_VERSION = '5.10.186';

const firecrackerUrl = (machine: string) =>
  'https://github.com/firecracker-microvm/firecracker/releases/download/' +
  `v${FIRECRACKER}/firecracker-v${FIRECRACKER}-${machine}.tgz`;
const cloudHypervisorUrl =
  'https://github.com/cloud-hypervisor/cloud-hypervisor/releases/download/' +
  `v${CLOUD_HYPERVISOR}/cloud-hypervisor-static`;
const kernelUrl = (machine: string) =>
  `https://s3.amazonaws.com/spec.ccfc.min/${CI_KERNEL}/${machine}/vmlinux-${CI_KERNEL_VERSION}`;
const gvisorUrl = (machine: string) =>
  `https://storage.googleapis.com/gvisor/releases/release/${GVISOR}/${machine}/runsc`;
const nanosUrl = (suffix: string) =>
  `https://storage.googleapis.com/nanos/release/${NANOS}/nanos-release-linux-${NANOS}${suffix}`;

const firecrackerMember = (program: string) => {
  const of = (machine: string) =>
    `release-v${FIRECRACKER}-${machine}/${program}-v${FIRECRACKER}-${machine}`;
  return { x64: of('x86_64'), arm64: of('aarch64') };
};
const firecrackerRelease = (program: string): Release => ({
  version: FIRECRACKER,
  urls: { x64: firecrackerUrl('x86_64'), arm64: firecrackerUrl('aarch64') },
  member: firecrackerMember(program),
});
const nanosRelease = (member: string): Release => ({
  version: NANOS,
  urls: { x64: nanosUrl('.tar.gz'), arm64: nanosUrl('-virt.tar.gz') },
  member: { x64: member, arm64: member },
});

/** All files that users supply, by the name that they have here. */
export const SUPPLIED = {
  firecracker: {
    what: 'the Firecracker program',
    place: 'firecracker/firecracker',
    variable: 'LOCKSTEP_FIRECRACKER',
    isProgram: true,
    release: firecrackerRelease('firecracker'),
    source: 'https://github.com/firecracker-microvm/firecracker',
  },
  jailer: {
    what: "Firecracker's jailer",
    place: 'firecracker/jailer',
    variable: 'LOCKSTEP_JAILER',
    isProgram: true,
    release: firecrackerRelease('jailer'),
    source: 'https://github.com/firecracker-microvm/firecracker',
  },
  kernel: {
    what: 'an uncompressed Linux kernel for guests without modules',
    place: 'kernel/vmlinux',
    variable: 'LOCKSTEP_GUEST_VMLINUX',
    release: {
      version: CI_KERNEL_VERSION,
      urls: { x64: kernelUrl('x86_64'), arm64: kernelUrl('aarch64') },
    },
    source: 'https://github.com/firecracker-microvm/firecracker/tree/main/resources',
  },
  'cloud-hypervisor': {
    what: 'the Cloud Hypervisor program',
    place: 'cloud-hypervisor/cloud-hypervisor',
    variable: 'LOCKSTEP_CLOUD_HYPERVISOR',
    isProgram: true,
    release: {
      version: CLOUD_HYPERVISOR,
      urls: { x64: cloudHypervisorUrl, arm64: `${cloudHypervisorUrl}-aarch64` },
    },
    source: 'https://github.com/cloud-hypervisor/cloud-hypervisor',
  },
  runsc: {
    what: "gVisor's runsc",
    place: 'gvisor/runsc',
    variable: 'LOCKSTEP_RUNSC',
    isProgram: true,
    onPath: 'runsc',
    debianPackage: 'runsc',
    release: {
      version: GVISOR,
      urls: { x64: gvisorUrl('x86_64'), arm64: gvisorUrl('aarch64') },
    },
    source: 'https://github.com/google/gvisor',
  },
  'nanos-kernel': {
    what: 'the Nanos kernel',
    place: 'nanos/kernel.img',
    variable: 'LOCKSTEP_NANOS_KERNEL',
    release: nanosRelease('kernel.img'),
    source: 'https://github.com/nanovms/nanos',
  },
  'nanos-boot': {
    what: 'the boot image of Nanos',
    place: 'nanos/boot.img',
    variable: 'LOCKSTEP_NANOS_BOOT',
    release: nanosRelease('boot.img'),
    source: 'https://github.com/nanovms/nanos',
  },
  'nanos-mkfs': {
    what: 'the program that makes images for Nanos',
    place: 'nanos/mkfs',
    variable: 'LOCKSTEP_NANOS_MKFS',
    isProgram: true,
    release: nanosRelease('mkfs'),
    source: 'https://github.com/nanovms/nanos',
  },
  'osv-loader': {
    what: 'the OSv loader (loader-stripped.elf)',
    place: 'osv/loader-stripped.elf',
    variable: 'LOCKSTEP_OSV_LOADER',
    source: 'https://github.com/cloudius-systems/osv',
  },
  workerd: {
    what: 'the workerd program',
    place: 'workerd/workerd',
    variable: 'LOCKSTEP_WORKERD',
    isProgram: true,
    onPath: 'workerd',
    source: 'npm package @cloudflare/workerd-linux-64 or -arm64, its bin/workerd',
  },
} as const satisfies Record<string, SuppliedFile>;
export type SuppliedName = keyof typeof SUPPLIED;

/** A supplied file with the parts that only some have. */
export function suppliedFile(name: SuppliedName): SuppliedFile {
  return SUPPLIED[name];
}
