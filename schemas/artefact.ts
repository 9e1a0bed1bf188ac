import { z } from 'zod';
import { protocolField } from './protocol.ts';
import { Digest, Identifier } from './units.ts';

/** The processor architectures that artefacts are built for, by Node's names. */
export const Architecture = z
  .enum(['x64', 'arm64'])
  .meta({ description: "Processor architecture by Node's name." });
export type Architecture = z.output<typeof Architecture>;

const AbsolutePath = z
  .string()
  .max(512)
  .regex(/^(?:\/[A-Za-z0-9_+@-][A-Za-z0-9._+@-]*)+$/, {
    error: 'an absolute path without dot segments',
  });

/** One file of an artefact. */
export const ArtefactFile = z.object({
  path: AbsolutePath.meta({ description: 'Absolute path below the root of the sandbox.' }),
  mode: z.int().min(0).max(0o777).meta({ description: 'Permission bits.' }),
  sizeBytes: z.int().min(0).meta({ description: 'Size in bytes.' }),
  digest: Digest.meta({ description: 'SHA-256 of the content.' }),
});
export type ArtefactFile = z.output<typeof ArtefactFile>;

/**
 * What an artefact is made of. The digest of the artefact is the SHA-256 of this manifest as
 * canonical JSON, so one digest names every byte that runs in a sandbox.
 */
export const ArtefactManifest = z.object({
  ...protocolField,
  kind: z.enum(['function', 'guest-kernel', 'tool']).meta({
    description:
      'A function to run in sandboxes, the Linux kernel for microVM guests, or a program for the ' +
      'device itself, such as the load generator.',
  }),
  name: Identifier.meta({ description: 'Name, e.g. hello-go.' }),
  architecture: Architecture,
  files: z.array(ArtefactFile).min(1).max(4096).meta({ description: 'The files, by path.' }),
  entry: z.array(z.string().min(1).max(512)).max(16).meta({
    description:
      'Command of a function; {root} stands for the root of its files. Empty for a kernel.',
  }),
  staticBinary: z.boolean().meta({
    description: 'True if the first word of the command needs no other file of the artefact.',
  }),
  form: z
    .enum(['wasm', 'worker'])
    .optional()
    .meta({
      description:
        'wasm: a WebAssembly module with WASI. worker: a script for workerd. Absent: a ' +
        "program of the device's own architecture.",
    }),
  toolchain: z
    .record(z.string().max(64), z.string().max(256))
    .meta({ description: 'What built it, by name and version.' }),
});
export type ArtefactManifest = z.output<typeof ArtefactManifest>;
