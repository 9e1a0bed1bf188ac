import { z } from 'zod';
import { Failure } from './failure.ts';
import { Identifier } from './units.ts';

/** The kinds of sandbox that this release has a driver for. */
export const SandboxName = z
  .enum(['process', 'runc', 'gvisor', 'microvm'])
  .meta({ description: 'A kind of sandbox.' });
export type SandboxName = z.output<typeof SandboxName>;

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
