import { spawn } from 'node:child_process';
import {
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { archive } from '../../../../coordinator/cli/commands/archive.ts';
import { importRun } from '../../../../coordinator/cli/commands/import.ts';
import { results as showResults } from '../../../../coordinator/cli/commands/results.ts';
import { runs } from '../../../../coordinator/cli/commands/runs.ts';
import { verify } from '../../../../coordinator/cli/commands/verify.ts';
import { exitCodeOf } from '../../../../coordinator/cli/exit-codes.ts';
import { Home } from '../../../../coordinator/cli/home.ts';
import { Output } from '../../../../coordinator/cli/output.ts';
import type { Work } from '../../../../coordinator/cli/session.ts';
import { RunFolder } from '../../../../coordinator/recording/run-folder.ts';
import { errorCodeOf } from '../../../../schemas/errors.ts';
import type { RunState } from '../../../../schemas/run.ts';
import { CHECKOUT } from '../../../support/nats-server.ts';
import { makeRun } from '../../../support/run-fixture.ts';

const MAIN = join(CHECKOUT, 'coordinator/cli/main.ts');
const { run, plan, results } = makeRun({ sandboxes: ['process', 'runc'], repetitions: 3 });
const RUN_ID = 'good-20260101-000000-aaaa';

/** A folder for a test, with the data folder `data` in it. */
async function testFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'archive-command-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function record(folder: string, runId: string, state?: RunState): Promise<RunFolder> {
  const recorded = RunFolder.of(join(folder, 'data'), runId);
  await recorded.writePlan(plan);
  await recorded.appendResults(results.map((result) => ({ ...result, runId })));
  const marked = { ...run, runId, resultsFile: { lineCheck: 'crc-32' as const } };
  await recorded.writeRun(
    state === undefined ? await recorded.sealed(marked) : { ...marked, state },
  );
  return recorded;
}

/** What a command said, instead of saying it. */
class Told extends Output {
  results = '';
  said = '';

  override result(line: string): void {
    this.results += `${line}\n`;
  }

  override say(line: string): void {
    this.said += `${line}\n`;
  }
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Carries a command out on a data folder, as the command line does. */
async function carryOut(data: string, work: Work): Promise<Ended> {
  const output = new Told({ colour: false });
  const { signal } = new AbortController();
  const session = { home: new Home(data), output, signal };
  let code: number;
  try {
    code = await work(session);
  } catch (error) {
    output.fail(error);
    code = exitCodeOf(errorCodeOf(error));
  }
  return { code, stdout: output.results, stderr: output.said };
}

test('a run goes from one data folder to another, and is the same run there', async (t) => {
  const folder = await testFolder(t);
  await record(folder, RUN_ID);
  const [data, other] = [join(folder, 'data'), join(folder, 'other')];
  const path = join(folder, 'a.tar.gz');
  const archived = await carryOut(data, archive('latest', { out: path }));
  t.is(archived.code, 0, archived.stderr);
  t.is(archived.stdout, `${path}\n`);
  const verified = await carryOut('/nowhere', verify(path, { json: true }));
  t.is(verified.code, 0, verified.stderr);
  const said = JSON.parse(verified.stdout) as Record<string, unknown>;
  t.is(said['run'], RUN_ID);
  t.is(said['results'], results.length);
  t.is(said['trialsPlanned'], plan.trials.length);
  t.regex((await carryOut('/nowhere', verify(path, {}))).stdout, /is whole/);
  const imported = await carryOut(other, importRun(path, {}));
  t.is(imported.stdout, `${RUN_ID}\n`, imported.stderr);
  const here = await carryOut(data, showResults(RUN_ID, {}));
  const there = await carryOut(other, showResults(RUN_ID, {}));
  t.true(here.stdout.includes('process'));
  t.is(there.stdout, here.stdout);
  const again = join(folder, 'b.tar.gz');
  await carryOut(other, archive(RUN_ID, { out: again }));
  t.deepEqual(await readFile(again), await readFile(path));
});

test('archive writes a report that is missing, and again when the data is newer', async (t) => {
  const folder = await testFolder(t);
  const data = join(folder, 'data');
  const recorded = await record(folder, RUN_ID);
  const work = archive(RUN_ID, { out: join(folder, 'a.tar.gz') });
  await carryOut(data, work);
  t.true((await readFile(recorded.path('report.html'), 'utf8')).includes('</html>'));
  await writeFile(recorded.path('report.html'), 'an old one');
  await carryOut(data, work);
  t.is(await readFile(recorded.path('report.html'), 'utf8'), 'an old one');
  await utimes(recorded.path('report.html'), new Date(1e12), new Date(1e12));
  await carryOut(data, work);
  t.not(await readFile(recorded.path('report.html'), 'utf8'), 'an old one');
});

test('archive refuses a run that goes on and one that is damaged, and leaves no file', async (t) => {
  const folder = await testFolder(t);
  const data = join(folder, 'data');
  const out = join(folder, 'a.tar.gz');
  await record(folder, RUN_ID, 'running');
  const going = await carryOut(data, archive(RUN_ID, { out }));
  t.is(going.code, 1);
  t.regex(going.stderr, /\[RUN_NOT_ENDED\].*is running\n {2}hint: Wait for its end/);
  const damaged = await record(folder, 'bad-20260101-000001-aaaa');
  await truncate(damaged.path('results.ndjson'), 5000);
  const refused = await carryOut(data, archive('latest', { out }));
  t.is(refused.code, 1);
  t.regex(refused.stderr, /\[RUN_DAMAGED\]/);
  t.deepEqual(await readdir(folder), ['data']);
});

test('runs lists good runs and names damaged ones; latest is not another run then', async (t) => {
  const folder = await testFolder(t);
  const data = join(folder, 'data');
  await record(folder, RUN_ID);
  const bad = await record(folder, 'bad-20260101-000001-aaaa');
  await truncate(bad.path('run.json'), 100);
  await mkdir(join(data, 'runs/foreign'));
  const listed = await carryOut(data, runs({}));
  t.is(listed.code, 0);
  t.true(listed.stdout.includes(RUN_ID));
  t.false(listed.stdout.includes('bad-'));
  t.regex(listed.stderr, /run bad-20260101-000001-aaaa is not readable: .*run\.json/);
  t.regex(listed.stderr, /run foreign is not readable/);
  const latest = await carryOut(data, showResults('latest', {}));
  t.is(latest.code, 1);
  t.is(latest.stdout, '');
  t.regex(latest.stderr, /\[RUN_DAMAGED\]: .*bad-20260101-000001-aaaa/);
});

test('results of a run with a damaged line say so in the table', async (t) => {
  const folder = await testFolder(t);
  const recorded = await record(folder, RUN_ID);
  const path = recorded.path('results.ndjson');
  await writeFile(path, (await readFile(path, 'utf8')).replace('"attempt":1', '"attempt":2'));
  const table = await carryOut(join(folder, 'data'), showResults(RUN_ID, {}));
  t.is(table.code, 0, table.stderr);
  t.regex(table.stdout, /damaged[^]*results\.ndjson line 1/);
});

test('verify on the command line names what is wrong, and ends with 1, as JSON too', async (t) => {
  const folder = await testFolder(t);
  await record(folder, RUN_ID);
  const path = join(folder, 'a.tar.gz');
  await carryOut(join(folder, 'data'), archive(RUN_ID, { out: path }));
  await truncate(path, 3000);
  const child = spawn(process.execPath, [MAIN, 'verify', path], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 60_000,
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.regex(await text(child.stderr), /\[ARCHIVE_DAMAGED\].*a\.tar\.gz: is cut off/);
  t.is(await ended, 1);
  const json = await carryOut('/nowhere', verify(path, { json: true }));
  t.is(json.code, 1);
  const { ok, failure } = JSON.parse(json.stdout) as { ok: boolean; failure: { code: string } };
  t.deepEqual([ok, failure.code], [false, 'ARCHIVE_DAMAGED']);
});
