import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { STORE_SCHEMA_VERSION } from './column.ts';
import { replaceFile } from '../recording/append-file.ts';
import { NOTHING, digestFile } from '../recording/file-digest.ts';
import { SAMPLES_FILE } from '../recording/sample-lines.ts';
import type { FileDigest } from '../recording/file-digest.ts';
import { syncFolder } from '../../bus/sync-folder.ts';

/** The file that says which Parquet files belong to which results. It is written last. */
export const MANIFEST_FILE = 'parquet.json';

/** The Parquet files that are made of a run's results. */
export const TABLE_FILES = ['results.parquet', 'instances.parquet'] as const;

/** The Parquet file that is made of a run's samples, if it has any. */
export const SAMPLES_TABLE = 'samples.parquet';

const RESULTS = 'results.ndjson';

const count = z.int().min(0);
const Digest = z.object({ bytes: count, sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** What was found in a run's samples.ndjson. */
const SampleCounts = z.object({
  /** Distinct blocks. */
  blocks: count,
  /** Blocks that were there before, and were left out. */
  duplicates: count,
  /** Rows of samples.parquet. */
  rows: count,
  /** Lines that were left out because they are damaged, or of no device or trial of the run. */
  damaged: count,
  /** The first places of damage, in words. */
  damage: z.array(z.string()),
  /** What results announce and is not there: devices' parts in trials, and blocks. */
  missing: z.object({ trials: count, blocks: count }),
  /** Devices that were throttled while they were sampled, and in how many trials. */
  throttled: z.array(z.object({ device: z.string(), condition: z.string(), trials: count })),
});
export type SampleCounts = z.output<typeof SampleCounts>;

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
  /** The samples.ndjson and what was made of it. Absent if there was none. */
  samples: z.object({ source: Digest, file: Digest, ...SampleCounts.shape }).optional(),
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
  const { schemaVersion, source, samples } = manifest;
  if (schemaVersion !== STORE_SCHEMA_VERSION) {
    throw stale(`${path} has schema version ${schemaVersion}, not ${STORE_SCHEMA_VERSION}`);
  }
  const plan = await digestFile(join(folder, 'plan.json'));
  if (plan?.sha256 !== manifest.plan?.sha256) throw stale(`${path} belongs to another plan.json`);
  const bytes = (await bytesOf(join(folder, RESULTS))) ?? 0;
  if (bytes !== source.bytes) throw otherSource(path, RESULTS, source, { bytes });
  const sampleBytes = await bytesOf(join(folder, SAMPLES_FILE));
  if (sampleBytes !== samples?.source.bytes) {
    throw otherSource(path, SAMPLES_FILE, samples?.source ?? NOTHING, { bytes: sampleBytes ?? 0 });
  }
  for (const [name, wanted] of tablesOf(manifest)) {
    const found = await bytesOf(join(tables, name));
    if (found !== wanted.bytes) throw damagedTable(join(tables, name), wanted, found);
  }
  return manifest;
}

/** Reads all files of a manifest and compares their digests. It throws as {@link readManifest}. */
export async function verifyDigests(
  folder: string,
  manifest: Manifest,
  tables = folder,
): Promise<void> {
  const sources = [
    [RESULTS, manifest.source],
    ...(manifest.samples === undefined ? [] : [[SAMPLES_FILE, manifest.samples.source] as const]),
  ] as const;
  for (const [name, wanted] of sources) {
    const found = (await digestFile(join(folder, name))) ?? NOTHING;
    if (found.bytes === wanted.bytes && found.sha256 === wanted.sha256) continue;
    throw otherSource(join(tables, MANIFEST_FILE), name, wanted, found);
  }
  for (const [name, wanted] of tablesOf(manifest)) {
    const found = await digestFile(join(tables, name));
    if (found?.bytes === wanted.bytes && found.sha256 === wanted.sha256) continue;
    throw damagedTable(join(tables, name), wanted, found?.bytes, found?.sha256);
  }
}

/** The files that a manifest names, with what it says of them. */
function tablesOf({ files, samples }: Manifest): [name: string, wanted: FileDigest][] {
  return [
    ...TABLE_FILES.map((name): [string, FileDigest] => [name, files[name]]),
    ...(samples === undefined ? [] : [[SAMPLES_TABLE, samples.file] as [string, FileDigest]]),
  ];
}

async function bytesOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch {
    return undefined;
  }
}

function otherSource(
  path: string,
  name: string,
  source: FileDigest,
  found: { readonly bytes: number; readonly sha256?: string },
): LockstepError {
  const digest = found.sha256 === undefined ? '' : ` (${found.sha256.slice(0, 12)})`;
  return stale(
    `${path} belongs to a ${name} of ${source.bytes} bytes ` +
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
