import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { STORE_SCHEMA_VERSION } from './column.ts';
import { replaceFile } from '../recording/append-file.ts';
import { NOTHING, digestFile } from '../recording/file-digest.ts';
import type { FileDigest } from '../recording/file-digest.ts';
import { syncFolder } from '../recording/sync-folder.ts';

/** The file that says which Parquet files belong to which results. It is written last. */
export const MANIFEST_FILE = 'parquet.json';

/** The Parquet files that are made of a run's results. */
export const TABLE_FILES = ['results.parquet', 'instances.parquet'] as const;

const count = z.int().min(0);
const Digest = z.object({ bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** What `parquet.json` holds. */
export const Manifest = z.object({
  schemaVersion: z.int(),
  lockstepVersion: z.string(),
  runId: z.string(),
  /** The results.ndjson that the tables were made of. */
  source: Digest,
  /** The plan.json that gave them their order. Absent if there was none. */
  plan: Digest.optional(),
  counts: z.object({
    read: count,
    distinct: count,
    duplicates: count,
    superseded: count,
    conflicting: count,
    foreign: count,
  }),
  instances: count,
  files: z.record(z.enum(TABLE_FILES), Digest),
});
export type Manifest = z.output<typeof Manifest>;

/** Writes the manifest of a folder; it appears as a whole or not at all. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await replaceFile(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
  await syncFolder(folder);
}

/**
 * The manifest of a run's Parquet files, if these are whole and belong to the run's results as they
 * are now. All of the files are read for that: about a second for 1.5 GB.
 *
 * @param tables folder of the Parquet files, if it is another than the run's
 * @throws LockstepError NOT_FOUND if there are none.
 * @throws LockstepError PARQUET_STALE if they are of other results, or of another release's shape.
 * @throws LockstepError PARQUET_DAMAGED if one of them is damaged.
 */
export async function readManifest(folder: string, tables = folder): Promise<Manifest> {
  const manifest = await openManifest(folder, tables);
  await verifyDigests(folder, manifest, tables);
  return manifest;
}

/**
 * The manifest, by the lengths of the files alone: whether their bytes are right, too,
 * {@link verifyDigests} says. It throws as {@link readManifest}.
 */
export async function openManifest(folder: string, tables = folder): Promise<Manifest> {
  const path = join(tables, MANIFEST_FILE);
  const manifest = await parseManifest(path);
  const { schemaVersion, source } = manifest;
  if (schemaVersion !== STORE_SCHEMA_VERSION) {
    throw stale(`${path} has schema version ${schemaVersion}, not ${STORE_SCHEMA_VERSION}`);
  }
  const plan = await digestFile(join(folder, 'plan.json'));
  if (plan?.sha256 !== manifest.plan?.sha256) throw stale(`${path} belongs to another plan.json`);
  const bytes = (await bytesOf(join(folder, 'results.ndjson'))) ?? 0;
  if (bytes !== source.bytes) throw otherResults(path, source, { bytes });
  for (const name of TABLE_FILES) {
    const found = await bytesOf(join(tables, name));
    if (found !== manifest.files[name].bytes) {
      throw damagedTable(join(tables, name), manifest.files[name], found);
    }
  }
  return manifest;
}

/** Reads all files of a manifest and compares their digests. It throws as {@link readManifest}. */
export async function verifyDigests(
  folder: string,
  manifest: Manifest,
  tables = folder,
): Promise<void> {
  const source = (await digestFile(join(folder, 'results.ndjson'))) ?? NOTHING;
  if (source.bytes !== manifest.source.bytes || source.sha256 !== manifest.source.sha256) {
    throw otherResults(join(tables, MANIFEST_FILE), manifest.source, source);
  }
  for (const name of TABLE_FILES) {
    const found = await digestFile(join(tables, name));
    const { bytes, sha256 } = manifest.files[name];
    if (found?.bytes === bytes && found.sha256 === sha256) continue;
    throw damagedTable(join(tables, name), manifest.files[name], found?.bytes, found?.sha256);
  }
}

async function bytesOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch {
    return undefined;
  }
}

function otherResults(
  path: string,
  source: FileDigest,
  found: { readonly bytes: number; readonly sha256?: string },
): LockstepError {
  const digest = found.sha256 === undefined ? '' : ` (${found.sha256.slice(0, 12)})`;
  return stale(
    `${path} belongs to a results.ndjson of ${source.bytes} bytes ` +
      `(${source.sha256.slice(0, 12)}), not to this one of ${found.bytes} bytes${digest}`,
  );
}

function damagedTable(
  path: string,
  wanted: FileDigest,
  bytes: number | undefined,
  sha256?: string,
): LockstepError {
  const digest =
    sha256 === undefined
      ? ''
      : `, digest ${sha256.slice(0, 12)}, not ${wanted.sha256.slice(0, 12)}`;
  return new LockstepError(
    'PARQUET_DAMAGED',
    bytes === undefined
      ? `there is no ${path}`
      : `${path} is not the file that was written: ${bytes} of ${wanted.bytes} bytes${digest}`,
    { hint: REMEDY },
  );
}

const REMEDY = 'Write it again with: lockstep results RUN --parquet';

async function parseManifest(path: string): Promise<Manifest> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    const code = isMissing ? 'NOT_FOUND' : 'STORAGE_FAILED';
    throw new LockstepError(code, `cannot read ${path}`, { cause, hint: REMEDY });
  }
  try {
    return Manifest.parse(JSON.parse(text));
  } catch (cause) {
    throw new LockstepError('PARQUET_DAMAGED', `${path} is damaged`, { cause, hint: REMEDY });
  }
}

function stale(message: string): LockstepError {
  return new LockstepError('PARQUET_STALE', message, { hint: REMEDY });
}
