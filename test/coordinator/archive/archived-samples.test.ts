import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { importArchive } from '../../../coordinator/archive/import-archive.ts';
import { verifyArchive } from '../../../coordinator/archive/verify-archive.ts';
import { writeArchive } from '../../../coordinator/archive/write-archive.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { rejection } from '../../support/rejection.ts';
import { blockJson, makeBlock, partOf } from '../../support/sample-blocks.ts';
import { emptyFolder, recorded, recordRun } from './run-archive.ts';

/** A run with two blocks of samples, sealed as at its end. */
async function sampledRun(t: ExecutionContext) {
  const data = await emptyFolder(t);
  const folder = await recordRun(data);
  for (const result of recorded.results.slice(0, 2)) {
    await folder.appendSamples(blockJson(makeBlock(partOf(result))));
  }
  await folder.writeRun(await folder.sealed(await folder.readRun()));
  return { data, folder, archive: join(data, 'run.lockstep.tar.gz') };
}

async function archived({ folder, archive }: { folder: RunFolder; archive: string }) {
  await writeArchive(folder, await folder.readRun(), archive);
  return archive;
}

test('an archive keeps samples.ndjson, and an import has it as it was', async (t) => {
  const run = await sampledRun(t);
  const home = { folder: await emptyFolder(t) };
  const { runId } = await importArchive(await archived(run), home);
  const taken = RunFolder.of(home.folder, runId);
  t.deepEqual(
    await readFile(taken.path('samples.ndjson')),
    await readFile(run.folder.path('samples.ndjson')),
  );
  t.is((await taken.readRun()).samplesFile?.end.lines, 2);
  t.false((await importArchive(run.archive, home)).isNew);
});

test('an archive of damaged, shortened or missing samples is refused, by name', async (t) => {
  const run = await sampledRun(t);
  const path = run.folder.path('samples.ndjson');
  const text = await readFile(path, 'utf8');
  const [first = ''] = text.split('\n');
  for (const [why, changed] of [
    [/samples\.ndjson line 2: its checksum/, text.replace(/4096000(?!.*4096000)/s, '4096001')],
    [/samples\.ndjson:? has \d+ bytes and 1 whole lines/, `${first}\n`],
    [/samples\.ndjson line 3:? is cut off/, `${text}{"pro`],
  ] as const) {
    await writeFile(path, changed);
    const { code, message } = await rejection(verifyArchive(await archived(run)));
    t.is(code, 'ARCHIVE_DAMAGED');
    t.regex(message, why);
  }
});
