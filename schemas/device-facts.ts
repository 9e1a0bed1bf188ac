import { z } from 'zod';

const text = (description: string) => z.string().max(256).meta({ description });
const bytes = (description: string) => z.int().min(0).meta({ description });

/** Processors that the kernel scales together, and others that it scales in the same way. */
const FrequencyPolicy = z.object({
  cpus: text('Processors, as a list such as 0-3,6.'),
  governor: text('What chooses the frequency, such as performance.'),
  driver: text('The driver that sets it.').optional(),
  minimumHz: z.int().min(0).optional().meta({ description: 'Lowest frequency allowed, Hz.' }),
  maximumHz: z.int().min(0).optional().meta({ description: 'Highest frequency allowed, Hz.' }),
});

/** Whether the kernel tells how long tasks wait for resources (PSI). */
const PressureFact = z.discriminatedUnion('available', [
  z.object({ available: z.literal(true) }),
  z.object({
    available: z.literal(false),
    reason: text('Why not.'),
    remedy: text('What would make it available. Absent if unknown.').optional(),
  }),
]);

const KvmFact = z.object({
  module: text('Kernel module that does it, such as kvm_intel. Absent if none shows.').optional(),
  isAccessible: z.boolean().meta({ description: 'True if the agent may use /dev/kvm.' }),
  guestBoots: z.boolean().optional().meta({
    description: 'Whether a guest booted with it when that was tried. Absent: it was not tried.',
  }),
  reason: text('Why a guest did not boot. Absent if it did, or was not tried.').optional(),
});

const DiskFact = z.object({
  device: text('The whole disk, such as nvme0n1.').optional(),
  model: text('What the disk says it is.').optional(),
  kind: z
    .enum(['nvme', 'ssd', 'hdd', 'sd-card', 'emmc', 'usb', 'virtual', 'memory'])
    .optional()
    .meta({ description: 'Kind of disk; virtual: of a virtual machine. Absent if unknown.' }),
  fileSystem: text('Type of the file system.').optional(),
  sizeBytes: bytes('Size of the file system, bytes.'),
  freeBytes: bytes('Free for the agent, bytes.'),
});

const NetworkFact = z.object({
  interface: text('Interface of the default route.'),
  kind: z.enum(['wired', 'wireless', 'virtual']).meta({ description: 'Kind of interface.' }),
  driver: text('Driver of it. Absent if it has none.').optional(),
  speedMbps: z.int().min(1).optional().meta({
    description: 'Speed of the link, Mbit/s. Absent if the driver does not say.',
  }),
});

const SwapFact = z.object({
  totalBytes: bytes('Swap space, bytes; 0: none.'),
  zramBytes: bytes('Of that in compressed memory, bytes.'),
});

/**
 * Facts of the kernel and how it is set up. All are optional, here and below: older agents do not
 * tell them, and what could not be found out is absent.
 */
export const kernelFacts = {
  kernelMachine: text(
    "The kernel's architecture, such as aarch64; a kernel may run programs of another.",
  ).optional(),
  timerHz: z.int().min(1).optional().meta({
    description: 'Ticks of the kernel per second (CONFIG_HZ); what is counted by it is no finer.',
  }),
  pageSizeBytes: z.int().min(1).optional().meta({ description: 'Size of a page, bytes.' }),
  preemption: z.enum(['none', 'voluntary', 'lazy', 'full', 'real-time']).optional().meta({
    description: 'When the kernel lets go of a processor for a more urgent task.',
  }),
  clocksource: text('What the kernel takes its time from, such as tsc.').optional(),
  lockdown: z.enum(['none', 'integrity', 'confidentiality']).optional().meta({
    description: 'What the kernel keeps even from root.',
  }),
  cgroupLayout: z.enum(['v1', 'v2', 'hybrid', 'none']).optional().meta({
    description: 'Versions of cgroups that are mounted; hybrid: both.',
  }),
  cgroupControllers: z.array(text('A controller.')).max(32).optional().meta({
    description: 'Controllers that the system offers, on whichever version.',
  }),
  pressure: PressureFact.optional(),
};

/** Facts of the machine that change what a trial measures. */
export const machineFacts = {
  frequencyPolicies: z.array(FrequencyPolicy).max(64).optional().meta({
    description: 'How frequencies are chosen. Absent if the kernel does not scale them.',
  }),
  isTurboOn: z.boolean().optional().meta({ description: 'True if turbo or boost is allowed.' }),
  isSmtActive: z.boolean().optional().meta({
    description: 'True if processors share cores (hyper-threading).',
  }),
  isolatedCpus: text(
    'Processors that the kernel schedules nothing on by itself. Absent if none.',
  ).optional(),
  swap: SwapFact.optional(),
  isKsmOn: z.boolean().optional().meta({ description: 'True if equal pages are merged (KSM).' }),
  hugePages: text('When huge pages are used: always, madvise or never.').optional(),
  hypervisor: text('What this machine is a guest of; none: nothing. Absent if unknown.').optional(),
  container: text('What container the agent is in. Absent if none shows.').optional(),
  kvm: KvmFact.optional(),
  disk: DiskFact.optional().meta({ description: "The disk of the agent's data." }),
  network: NetworkFact.optional(),
};
