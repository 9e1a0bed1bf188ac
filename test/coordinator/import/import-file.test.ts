import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readRunSummary } from '../../../coordinator/cli/report-files.ts';
import { IMPORT_BYTES_MAX, importFile } from '../../../coordinator/import/import-file.ts';
import { isArchive } from '../../../coordinator/import/is-archive.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { coldStartCsv, coldStartLines } from '../../support/study-csv.ts';

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'import-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('an imported file is a run folder that is read as any other', async (t) => {
  const data = await folder(t);
  const path = join(data, 'cold.csv');
  await writeFile(path, coldStartCsv({ seed: 1 }));
  const { runId, provenance } = await importFile(path, data);
  t.is(provenance.fileName, 'cold.csv');
  t.is(provenance.sizeBytes, Buffer.byteLength(coldStartCsv({ seed: 1 })));
  const { run, summary } = await readRunSummary(data, 'latest');
  t.is(run.runId, runId);
  t.deepEqual(run.provenance, provenance);
  t.deepEqual(
    summary.cells.map(({ latency }) => latency?.n),
    [100, 100, 100, 100],
  );
  t.true(summary.notes.some(({ code }) => code === 'imported'));
});

test('a file with a mistake, or of another kind than said, leaves nothing behind', async (t) => {
  const data = await folder(t);
  const path = join(data, 'cold.csv');
  await writeFile(path, `${coldStartCsv({ seed: 1 })}nanos,go,fast\n`);
  await t.throwsAsync(importFile(path, data), { code: 'IMPORT_INVALID', message: /cold\.csv:402/ });
  await t.throwsAsync(importFile(path, data, 'nonsense'), { code: 'USAGE', message: /nonsense/ });
  await writeFile(path, Buffer.from([0x50, 0, 0x51]));
  await t.throwsAsync(importFile(path, data), { code: 'IMPORT_INVALID', message: /no text/ });
  t.deepEqual(await RunFolder.list(data), []);
  t.deepEqual(await readdir(data), ['cold.csv']);
});

test('a missing file, a folder, a large file and too many values are refused', async (t) => {
  const data = await folder(t);
  await t.throwsAsync(importFile(join(data, 'none.csv'), data), { code: 'NOT_FOUND' });
  await mkdir(join(data, 'some.csv'));
  await t.throwsAsync(importFile(join(data, 'some.csv'), data), { message: /no regular file/ });
  const large = join(data, 'large.csv');
  await writeFile(large, '');
  await truncate(large, IMPORT_BYTES_MAX + 1);
  await t.throwsAsync(importFile(large, data), { code: 'IMPORT_INVALID', message: /read at most/ });
  const lines = coldStartLines({ seed: 1, rowsPerCell: 25_001 });
  await writeFile(large, ['target,language,time', ...lines].join('\n'));
  await t.throwsAsync(importFile(large, data), { message: /100004 values; a run has 100000/ });
});

test('archives are known by their first bytes', async (t) => {
  const data = await folder(t);
  const path = join(data, 'a');
  await writeFile(path, Buffer.from([0x1f, 0x8b, 8, 0]));
  t.true(await isArchive(path));
  await writeFile(path, coldStartCsv({ seed: 1 }));
  t.false(await isArchive(path));
  t.false(await isArchive(join(data, 'none')));
});
