import { z } from 'zod';
import { Failure } from './failure.ts';
import { Identifier } from './units.ts';

/** What is known of a kind of sandbox before any device is asked. */
export interface SandboxTraits {
  /** What separates the function from the device. */
  readonly isolation: 'none' | 'container' | 'kernel' | 'machine' | 'language';
  /**
   * What it can run: any program with its files, one static program, a WebAssembly module, or a
   * script for workerd.
   */
  readonly runs: 'program' | 'static-program' | 'wasm' | 'worker';
  /** True if agents find out at their start whether it works; others when a run first asks. */
  readonly isProbedAtStart: boolean;
  /** True if its guest prints that it was entered, which stamps `guestEntry`. */
  readonly stampsGuestEntry?: true;
  /** True if what the function prints is not seen outside: no `appMain`, no log of its own. */
  readonly hidesOutput?: true;
  /** True if the function ran, and was saved, before the sandbox starts: no `appMain` either. */
  readonly isRestored?: true;
  /** True if a virtual machine's monitor names its vCPU threads, so that they can be sampled. */
  readonly hasVmmThreads?: true;
  /** True if the request to end goes to the machine, so that no function can ignore it. */
  readonly endsWithoutFunction?: true;
  /** True if its kernel runs one process only: a function can't have children. */
  readonly hasOneProcess?: true;
  /** True if a daemon serves all its sandboxes, from `detect` to the end of the runner. */
  readonly hasDaemon?: true;
}

/** The kinds of sandbox that this release has a driver for. */
export const SANDBOXES = {
  process: { isolation: 'none', runs: 'program', isProbedAtStart: true },
  runc: { isolation: 'container', runs: 'program', isProbedAtStart: true },
  bubblewrap: { isolation: 'container', runs: 'program', isProbedAtStart: false },
  crun: { isolation: 'container', runs: 'program', isProbedAtStart: false },
  nspawn: { isolation: 'container', runs: 'program', isProbedAtStart: false },
  gvisor: { isolation: 'kernel', runs: 'program', isProbedAtStart: true },
  docker: { isolation: 'container', runs: 'program', isProbedAtStart: false, hasDaemon: true },
  'docker-crun': {
    ...{ isolation: 'container', runs: 'program', isProbedAtStart: false, hasDaemon: true },
  },
  'docker-gvisor': {
    ...{ isolation: 'kernel', runs: 'program', isProbedAtStart: false, hasDaemon: true },
  },
  podman: { isolation: 'container', runs: 'program', isProbedAtStart: false, hasDaemon: true },
  containerd: { isolation: 'container', runs: 'program', isProbedAtStart: false, hasDaemon: true },
  'gvisor-systrap': { isolation: 'kernel', runs: 'program', isProbedAtStart: false },
  'gvisor-ptrace': { isolation: 'kernel', runs: 'program', isProbedAtStart: false },
  'gvisor-kvm': { isolation: 'kernel', runs: 'program', isProbedAtStart: false },
  'gvisor-netstack': { isolation: 'kernel', runs: 'program', isProbedAtStart: false },
  microvm: {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: true },
    ...{ stampsGuestEntry: true, hasVmmThreads: true, endsWithoutFunction: true },
  },
  'microvm-ext4': {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: false },
    ...{ stampsGuestEntry: true, hasVmmThreads: true, endsWithoutFunction: true },
  },
  'microvm-restored': {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: false },
    ...{ isRestored: true, hasVmmThreads: true, endsWithoutFunction: true },
  },
  uml: {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: false },
    ...{ stampsGuestEntry: true, endsWithoutFunction: true },
  },
  nanos: {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: false },
    ...{ hasVmmThreads: true, endsWithoutFunction: true, hasOneProcess: true },
  },
  osv: {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: false },
    ...{ hasVmmThreads: true, endsWithoutFunction: true, hasOneProcess: true },
  },
  firecracker: {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: false },
    ...{ stampsGuestEntry: true, hasVmmThreads: true, endsWithoutFunction: true },
  },
  'firecracker-restored': {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: false },
    ...{ isRestored: true, hasVmmThreads: true, endsWithoutFunction: true },
  },
  'nanos-firecracker': {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: false },
    ...{ hasVmmThreads: true, endsWithoutFunction: true },
  },
  'osv-firecracker': {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: false },
    ...{ hasVmmThreads: true, endsWithoutFunction: true, hasOneProcess: true },
  },
  'cloud-hypervisor': {
    ...{ isolation: 'machine', runs: 'static-program', isProbedAtStart: false },
    ...{ stampsGuestEntry: true, hasVmmThreads: true, endsWithoutFunction: true },
  },
  wasi: { isolation: 'language', runs: 'wasm', isProbedAtStart: false },
  workerd: { isolation: 'language', runs: 'worker', isProbedAtStart: false },
} as const satisfies Record<string, SandboxTraits>;
export type SandboxName = keyof typeof SANDBOXES;

/** The traits of a kind of sandbox, with those that only some kinds have. */
export function traitsOf(name: SandboxName): SandboxTraits {
  return SANDBOXES[name];
}

const sandboxNames = Object.keys(SANDBOXES) as [SandboxName, ...SandboxName[]];
export const SandboxName = z.enum(sandboxNames).meta({ description: 'A kind of sandbox.' });

/** The kinds of sandbox that an agent tries at its start unless it is told others. */
export const SANDBOXES_PROBED_AT_START: readonly SandboxName[] = sandboxNames.filter(
  (name) => SANDBOXES[name].isProbedAtStart,
);

/**
 * A kind of sandbox in a record. Imported runs, and runs of other releases, name kinds that this
 * release has no driver for; only experiment files are limited to {@link SandboxName}.
 */
export const RecordedSandboxName = Identifier.meta({
  description: 'A kind of sandbox, with a driver in this release or not.',
});

/** What a device found out about one kind of sandbox by starting it. */
export const SandboxAvailability = z
  .discriminatedUnion('available', [
    z.object({
      available: z.literal(true),
      name: SandboxName,
      details: z.record(z.string().max(64), z.string().max(256)).meta({
        description: 'What it runs on: version, platform, accelerator and the like, by name.',
      }),
      probeMs: z.number().min(0).meta({ description: 'How long the probe took, milliseconds.' }),
    }),
    z.object({
      available: z.literal(false),
      name: SandboxName,
      failure: Failure.meta({ description: 'The reason, and the remedy as its hint.' }),
    }),
  ])
  .meta({ description: 'Whether a kind of sandbox works on a device, tried by doing.' });
export type SandboxAvailability = z.output<typeof SandboxAvailability>;

/** The same limits for every kind of sandbox. */
export const SandboxLimits = z
  .object({
    memoryMib: z
      .int()
      .min(64)
      .max(65_536)
      .default(512)
      .meta({ description: 'Memory limit, MiB. For a microVM the guest has this much memory.' }),
    cpus: z
      .number()
      .min(0.1)
      .max(64)
      .default(1)
      .meta({ description: 'CPU time limit, in processors. A microVM has this many, rounded up.' }),
  })
  .meta({ description: 'Limits of one sandbox.' });
export type SandboxLimits = z.output<typeof SandboxLimits>;
