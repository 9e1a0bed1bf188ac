import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Digest, Identifier } from '../../schemas/units.ts';

/** Version of the format of archives that this release writes, and the newest that it reads. */
export const ARCHIVE_VERSION = 1;

/** Name of the manifest: the first entry of every archive. */
export const MANIFEST_NAME = 'archive.json';

/** Name of the text for people: the second entry. */
export const README_NAME = 'README.txt';

/** Entries that belong to the archive and not to the run. */
export const OWN_NAMES: readonly string[] = [MANIFEST_NAME, README_NAME];

/** Files of one archive, at most. */
export const FILES_MAX = 10_000;

/** Largest manifest, bytes: that many files with long names. */
export const MANIFEST_BYTES_MAX = 16 * 1024 * 1024;

const PATH_CHARACTERS_MAX = 255;

/**
 * True for a path that stays in the folder that an archive is unpacked into, on any system: parts
 * with slashes between them, none of them hidden, empty, `.` or `..`, and no control characters.
 */
export function isSafePath(path: string): boolean {
  return (
    path.length <= PATH_CHARACTERS_MAX &&
    // eslint-disable-next-line no-control-regex -- these are what is looked for
    !/[\u0000-\u001f\u007f\\:]/.test(path) &&
    path.split('/').every((part) => part !== '' && !part.startsWith('.'))
  );
}

const ArchivedFile = z.object({
  path: z
    .string()
    .refine(isSafePath, { error: 'leads out of the archive' })
    .meta({ description: 'Path in the archive and in the folder of the run.' }),
  bytes: z.int().min(0).meta({ description: 'Length, bytes.' }),
  digest: Digest.meta({ description: 'SHA-256 of the content.' }),
});
/** One file of an archive. */
export type ArchivedFile = z.output<typeof ArchivedFile>;

/** What `archive.json` says: which run, made by what, and every file. */
export const ArchiveManifest = z.object({
  archiveVersion: z.int().min(1).meta({ description: 'Version of the format.' }),
  runId: Identifier,
  createdAtUtcMs: z.int().meta({
    description: 'The end of the run, ms since 1970, so that equal runs give equal archives.',
  }),
  lockstepVersion: z.string().max(64).meta({ description: 'What wrote the archive.' }),
  nodeVersion: z.string().max(64),
  files: z
    .array(ArchivedFile)
    .max(FILES_MAX)
    .refine((files) => new Set(files.map(({ path }) => path)).size === files.length, {
      error: 'a path is listed twice',
    })
    .meta({ description: 'All entries but archive.json, in the order of the archive.' }),
  digest: Digest.meta({
    description:
      'SHA-256 of this object without this field, as JSON without white space in this order of ' +
      'fields.',
  }),
});
export type ArchiveManifest = z.output<typeof ArchiveManifest>;

/** The digest over all of a manifest, and so over every file. */
export function digestOfManifest(manifest: Omit<ArchiveManifest, 'digest'>): string {
  const { archiveVersion, runId, createdAtUtcMs, lockstepVersion, nodeVersion } = manifest;
  const files = manifest.files.map(({ path, bytes, digest }) => ({ path, bytes, digest }));
  const text = JSON.stringify({
    archiveVersion,
    runId,
    createdAtUtcMs,
    lockstepVersion,
    nodeVersion,
    files,
  });
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
