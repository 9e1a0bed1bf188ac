import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { runCommandLine } from '../../../support/command-line.ts';
import { coldStartCsv } from '../../../support/study-csv.ts';

function lockstep(data: string, ...words: string[]) {
  return runCommandLine('--data', data, ...words);
}

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'import-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('an imported file shows as a run, goes into an archive, and comes out of it', async (t) => {
  const data = await folder(t);
  const file = join(data, 'cold.csv');
  await writeFile(file, coldStartCsv({ seed: 1 }));
  const imported = await lockstep(data, 'import', file, '--json');
  t.is(imported.code, 0, imported.stderr);
  const { runId } = JSON.parse(imported.stdout) as { runId: string };
  const archive = join(data, 'run.tar.gz');
  const written = await lockstep(data, 'archive', runId, '--out', archive);
  t.is(written.code, 0, written.stderr);
  const elsewhere = await folder(t);
  const taken = await lockstep(elsewhere, 'import', archive);
  t.is(taken.code, 0, taken.stderr);
  t.is(taken.stdout, `${runId}\n`);
  const { stdout } = await lockstep(elsewhere, 'results', runId);
  t.regex(stdout, /^nanos +hello-go +100 /m);
  t.regex(stdout, /Imported from cold\.csv/);
  t.notRegex(stdout, /Start spread/);
});

test('a file with mistakes ends with exit code 2 and every line that has one', async (t) => {
  const data = await folder(t);
  const file = join(data, 'cold.csv');
  await writeFile(file, 'target,language,time\nosv,go,fast\nosv,go,0.1\nosv,go,-1\n');
  const { code, stdout, stderr } = await lockstep(data, 'import', file);
  t.is(code, 2);
  t.is(stdout, '');
  t.regex(stderr, /IMPORT_INVALID/);
  t.regex(stderr, /cold\.csv:2: .*\n.*cold\.csv:4: /);
});
