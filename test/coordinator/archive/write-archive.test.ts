import { cp, mkdir, readFile, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { verifyArchive } from '../../../coordinator/archive/verify-archive.ts';
import { writeArchive } from '../../../coordinator/archive/write-archive.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { rejection } from '../../support/rejection.ts';
import { smallDisk } from '../../support/small-disk.ts';
import { archivedRun, emptyFolder, readTar, recorded, recordRun } from './run-archive.ts';

test('writeArchive puts every file into it, list of files and text for people first', async (t) => {
  const { archive, folder, manifest } = await archivedRun(t);
  const entries = await readTar(archive);
  t.deepEqual(
    entries.map(({ header }) => header.name),
    ['archive.json', 'README.txt', 'run.json', 'plan.json', 'report.html', 'results.ndjson'],
  );
  t.deepEqual(JSON.parse(entries[0]!.content.toString()), manifest);
  for (const { header, content } of entries.slice(2)) {
    t.deepEqual(content, await readFile(folder.path(header.name)), header.name);
  }
  const readme = entries[1]!.content.toString();
  t.true(readme.includes(recorded.run.experiment.question));
  for (const { path } of manifest.files.slice(1)) t.true(readme.includes(path), path);
});

test('writeArchive gives the same bytes for the same run, wherever and whenever', async (t) => {
  const { archive, data, folder } = await archivedRun(t);
  const elsewhere = join(await emptyFolder(t), 'runs', recorded.run.runId);
  await mkdir(elsewhere, { recursive: true });
  await cp(folder.folder, elsewhere, { recursive: true });
  await utimes(join(elsewhere, 'results.ndjson'), new Date(1e12), new Date(1e12));
  const again = join(data, 'again.tar.gz');
  await writeArchive(new RunFolder(elsewhere), await folder.readRun(), again);
  t.deepEqual(await readFile(again), await readFile(archive));
});

test('writeArchive takes folders in it, and leaves out what a crash left', async (t) => {
  const data = await emptyFolder(t);
  const folder = await recordRun(data);
  await mkdir(folder.path('figures'));
  await writeFile(folder.path('figures/ecdf of all.svg'), '<svg/>\n');
  await writeFile(folder.path('.half-written.tmp'), 'half');
  const archive = join(data, 'out.tar.gz');
  await writeArchive(folder, await folder.readRun(), archive);
  const { manifest } = await verifyArchive(archive);
  const paths = manifest.files.map(({ path }) => path);
  t.true(paths.includes('figures/ecdf of all.svg'));
  t.false(paths.some((path) => path.includes('half')));
});

test('writeArchive refuses a run whose files change meanwhile, and leaves no file', async (t) => {
  const data = await emptyFolder(t);
  const folder = await recordRun(data);
  await writeFile(folder.path('a-long.parquet'), randomBytes(16 * 1024 * 1024));
  await writeFile(folder.path('z-last.parquet'), 'as it was when it was listed');
  const writing = rejection(writeArchive(folder, recorded.run, join(data, 'out.tar.gz')));
  // All files are listed once the first of them is being packed, which takes a while.
  while ((await readdir(data)).length === 1) await setImmediate();
  await writeFile(folder.path('z-last.parquet'), 'as it was when it was packed');
  const error = await writing;
  t.is(error.code, 'RUN_DAMAGED');
  t.regex(error.message, /z-last\.parquet: changed while it was archived/);
  t.deepEqual(await readdir(data), ['runs']);
});

test('writeArchive refuses links, and leaves no file', async (t) => {
  const data = await emptyFolder(t);
  const folder = await recordRun(data);
  await symlink('/etc/hostname', folder.path('hostname'));
  const error = await rejection(writeArchive(folder, recorded.run, join(data, 'out.tar.gz')));
  t.is(error.code, 'RUN_DAMAGED');
  t.regex(error.message, /hostname: is neither a file nor a folder/);
  t.deepEqual(await readdir(data), ['runs']);
});

test('writeArchive refuses a name that an archive could not give back', async (t) => {
  const data = await emptyFolder(t);
  const folder = await recordRun(data);
  await writeFile(folder.path('archive.json'), '{}');
  const error = await rejection(writeArchive(folder, recorded.run, join(data, 'out')));
  t.regex(error.message, /has a file that can't be archived: archive\.json/);
});

test('writeArchive on a full disk says so, and leaves the archive that was there', async (t) => {
  const disk = await smallDisk(t, 256 * 1024);
  if ('missing' in disk) {
    t.log(`skipped: ${disk.missing}`);
    t.pass();
    return;
  }
  const folder = await recordRun(await emptyFolder(t));
  const archive = join(disk.path, 'out.tar.gz');
  await writeFile(archive, 'the older one');
  // What does not compress, more than the disk has.
  const noise = Buffer.from(Array.from({ length: 600_000 }, (_unused, n) => (n * n * n) >> 7));
  await writeFile(folder.path('samples.parquet'), noise);
  const error = await rejection(writeArchive(folder, recorded.run, archive));
  t.is(error.code, 'STORAGE_FULL');
  t.is(await readFile(archive, 'utf8'), 'the older one');
  t.deepEqual(await readdir(disk.path), ['out.tar.gz']);
});
