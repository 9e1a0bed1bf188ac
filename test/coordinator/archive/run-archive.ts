import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import type { Header } from 'tar-stream';
import type { ArchiveManifest } from '../../../coordinator/archive/archive-manifest.ts';
import { digestOfManifest } from '../../../coordinator/archive/archive-manifest.ts';
import { writeArchive } from '../../../coordinator/archive/write-archive.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import type { Run } from '../../../schemas/run.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { Teardown } from '../../support/nats-server.ts';

/** The run that the archives of these tests are of. */
export const recorded = makeRun({ sandboxes: ['process', 'runc'], repetitions: 2 });

/** One entry of a tar archive, in memory. */
export interface TarEntry {
  readonly header: Partial<Header> & Pick<Header, 'name'>;
  readonly content: Buffer;
}

/** A folder that is gone after the test. */
export async function emptyFolder(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'archive-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes the run into a data folder, as a coordinator leaves it, with a report. */
export async function recordRun(data: string, changes: Partial<Run> = {}): Promise<RunFolder> {
  const { run, plan, results } = recorded;
  const folder = RunFolder.of(data, run.runId);
  await folder.writePlan(plan);
  await folder.appendResults(results);
  const sealed = await folder.sealed({ ...run, resultsFile: { lineCheck: 'crc-32' } });
  await folder.writeRun({ ...sealed, ...changes });
  await folder.writeText('report.html', '<!doctype html><title>report</title>\n');
  return folder;
}

/** A data folder with the run, and the archive of it. */
export async function archivedRun(
  t: Teardown,
): Promise<{ data: string; folder: RunFolder; archive: string; manifest: ArchiveManifest }> {
  const data = await emptyFolder(t);
  const folder = await recordRun(data);
  const archive = join(data, 'run.lockstep.tar.gz');
  const manifest = await writeArchive(folder, await folder.readRun(), archive);
  return { data, folder, archive, manifest };
}

/** All entries of an archive, unchecked. */
export async function readTar(path: string): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  const reader = extract();
  const fed = pipeline(createReadStream(path), createGunzip(), reader);
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    entries.push({ header: entry.header, content: Buffer.concat(chunks) });
  }
  await fed;
  return entries;
}

/** Packs entries as they are, however wrong. */
export async function writeTar(path: string, entries: readonly TarEntry[]): Promise<void> {
  const tar = pack();
  const written = pipeline(tar, createGzip(), createWriteStream(path));
  for (const { header, content } of entries) {
    const { name, type, linkname } = header;
    tar.entry(
      { name, ...(type === undefined ? {} : { type }), ...(linkname ? { linkname } : {}) },
      content,
    );
  }
  tar.finalize();
  await written;
}

/** The entries with a list of files that fits them, as a careful forger would make it. */
export function relisted(
  entries: readonly TarEntry[],
  change: (manifest: ArchiveManifest) => ArchiveManifest = (manifest) => manifest,
): TarEntry[] {
  const [first, ...rest] = entries;
  const manifest = JSON.parse(first!.content.toString()) as ArchiveManifest;
  const files = rest.map(({ header, content }) => ({
    path: header.name,
    bytes: content.length,
    digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
  }));
  const changed = change({ ...manifest, files });
  const content = JSON.stringify({ ...changed, digest: digestOfManifest(changed) });
  return [{ header: first!.header, content: Buffer.from(content) }, ...rest];
}

/** Writes bytes to a file of their own and gives its path. */
export async function fileOf(t: Teardown, bytes: Buffer | string): Promise<string> {
  const path = join(await emptyFolder(t), 'some.lockstep.tar.gz');
  await writeFile(path, bytes);
  return path;
}
