import { mkdir, readFile, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { importArchive } from '../../../coordinator/archive/import-archive.ts';
import { writeArchive } from '../../../coordinator/archive/write-archive.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { rejection } from '../../support/rejection.ts';
import { archivedRun, emptyFolder, recorded, recordRun } from './run-archive.ts';

test('importArchive makes the same run elsewhere, whose archive has the same bytes', async (t) => {
  const { archive, folder: source } = await archivedRun(t);
  const home = { folder: join(await emptyFolder(t), 'new') };
  const { runId, isNew } = await importArchive(archive, home);
  t.is(runId, recorded.run.runId);
  t.true(isNew);
  const folder = RunFolder.of(home.folder, runId);
  t.deepEqual((await readdir(folder.folder)).toSorted(), (await readdir(source.folder)).toSorted());
  const { results, plan, damage } = await folder.read();
  t.deepEqual(results, recorded.results);
  t.deepEqual(plan, recorded.plan);
  t.is(damage.describe(), undefined);
  t.deepEqual(await readdir(home.folder), ['runs']);
  const again = join(home.folder, 'again.tar.gz');
  await writeArchive(folder, await folder.readRun(), again);
  t.deepEqual(await readFile(again), await readFile(archive));
});

test('importArchive gives all files one time, so that no report looks outdated', async (t) => {
  const { archive } = await archivedRun(t);
  const home = { folder: await emptyFolder(t) };
  const { runId } = await importArchive(archive, home);
  const folder = RunFolder.of(home.folder, runId);
  const times = await Promise.all(
    ['report.html', 'results.ndjson'].map(async (name) => (await stat(folder.path(name))).mtimeMs),
  );
  t.deepEqual(times, [recorded.run.endedAtUtcMs, recorded.run.endedAtUtcMs]);
});

test('importArchive leaves the same run as it is, also with a newer report', async (t) => {
  const { archive } = await archivedRun(t);
  const home = { folder: await emptyFolder(t) };
  await importArchive(archive, home);
  const report = join(home.folder, 'runs', recorded.run.runId, 'report.html');
  await writeFile(report, 'a newer one');
  const { isNew } = await importArchive(archive, home);
  t.false(isNew);
  t.is(await readFile(report, 'utf8'), 'a newer one');
  t.deepEqual(await readdir(home.folder), ['runs']);
});

test('importArchive refuses to replace another run of the same id', async (t) => {
  const { archive } = await archivedRun(t);
  const home = { folder: await emptyFolder(t) };
  const there = await recordRun(home.folder, { coordinatorVersion: '0.0.9' });
  const before = await readFile(there.path('run.json'));
  const error = await rejection(importArchive(archive, home));
  t.is(error.code, 'RUN_EXISTS');
  t.regex(error.message, /not the same: run\.json differs/);
  t.deepEqual(await readFile(there.path('run.json')), before);
  t.deepEqual(await readdir(home.folder), ['runs']);
});

test('importArchive of one archive several times at once makes one run', async (t) => {
  const { archive } = await archivedRun(t);
  const home = { folder: await emptyFolder(t) };
  const all = await Promise.all([1, 2, 3].map(() => importArchive(archive, home)));
  t.is(all.filter(({ isNew }) => isNew).length, 1);
  t.deepEqual(await readdir(home.folder), ['runs']);
  t.deepEqual(await readdir(join(home.folder, 'runs')), [recorded.run.runId]);
});

test('importArchive refuses to replace a file', async (t) => {
  const { archive } = await archivedRun(t);
  const home = { folder: await emptyFolder(t) };
  await mkdir(join(home.folder, 'runs'));
  await writeFile(join(home.folder, 'runs', recorded.run.runId), 'a file');
  t.is((await rejection(importArchive(archive, home))).code, 'STORAGE_FAILED');
  t.deepEqual(await readdir(home.folder), ['runs']);
});

test('importArchive leaves nothing of an archive that turns out damaged at its end', async (t) => {
  const { archive } = await archivedRun(t);
  await truncate(archive, (await stat(archive)).size - 9);
  const home = { folder: await emptyFolder(t) };
  t.is((await rejection(importArchive(archive, home))).code, 'ARCHIVE_DAMAGED');
  t.deepEqual(await readdir(home.folder), []);
});
