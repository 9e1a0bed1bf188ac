import { appendFile, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { rejection } from '../../support/rejection.ts';
import { makeRun } from '../../support/run-fixture.ts';

const { run, plan, results } = makeRun({
  sandboxes: ['process'],
  repetitions: 3,
  failureRate: 0.3,
});

async function dataFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'run-folder-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function runFolder(t: ExecutionContext): Promise<RunFolder> {
  return RunFolder.of(await dataFolder(t), run.runId);
}

test('RunFolder reads back what was written, in order', async (t) => {
  const folder = await runFolder(t);
  await folder.writeRun(run);
  await folder.writePlan(plan);
  await folder.appendResults(results.slice(0, 2));
  await folder.appendResults(results.slice(2));
  const { damage, ...record } = await new RunFolder(folder.folder).read();
  t.deepEqual(record, { run, plan, results });
  t.is(damage.describe(), undefined);
});

test('RunFolder replaces run.json as a whole and leaves no temporary file', async (t) => {
  const folder = await runFolder(t);
  await folder.writeRun(run);
  await folder.writeRun({ ...run, state: 'running' });
  t.is((await folder.readRun()).state, 'running');
  t.deepEqual(await readdir(folder.folder), ['run.json']);
});

test('RunFolder keeps events as lines, each JSON', async (t) => {
  const folder = await runFolder(t);
  const base = { protocol: run.protocol, runId: run.runId, atUtcMs: 1 };
  await folder.appendEvent({ ...base, event: 'planned', trials: 3 });
  await folder.appendEvent({ ...base, event: 'state', state: 'running' });
  const lines = (await readFile(folder.path('events.ndjson'), 'utf8')).trimEnd().split('\n');
  t.deepEqual(
    lines.map((line) => (JSON.parse(line) as { event: string }).event),
    ['planned', 'state'],
  );
});

test('RunFolder without a plan or results reads as such, if no trial was planned', async (t) => {
  const folder = await runFolder(t);
  const unplanned = { ...run, trialsPlanned: 0 };
  await folder.writeRun(unplanned);
  const { damage, ...record } = await folder.read();
  t.deepEqual(record, { run: unplanned, plan: undefined, results: [] });
  t.is(damage.describe(), undefined);
});

test('RunFolder says NOT_FOUND for a run that is not there', async (t) => {
  const folder = await runFolder(t);
  const error = await rejection(folder.read());
  t.is(error.code, 'NOT_FOUND');
  t.true(error.message.includes(run.runId));
  t.truthy(error.hint);
});

test('RunFolder does not count a torn last line, and heal cuts it off', async (t) => {
  const folder = await runFolder(t);
  await folder.appendResults(results.slice(0, 2));
  const path = folder.path('results.ndjson');
  const whole = await readFile(path, 'utf8');
  await appendFile(path, whole.slice(0, 100));
  t.deepEqual(await folder.readResults(), results.slice(0, 2));
  await folder.heal();
  t.is(await readFile(path, 'utf8'), whole);
  await folder.appendResults(results.slice(2, 3));
  t.deepEqual(await folder.readResults(), results.slice(0, 3));
});

test('RunFolder heals a file that is nothing but a torn line, and events too', async (t) => {
  const folder = await runFolder(t);
  await mkdir(folder.folder, { recursive: true });
  await appendFile(folder.path('results.ndjson'), '{"protocol":');
  await appendFile(folder.path('events.ndjson'), '{}\n{"ev');
  await folder.heal();
  t.is(await readFile(folder.path('results.ndjson'), 'utf8'), '');
  t.is(await readFile(folder.path('events.ndjson'), 'utf8'), '{}\n');
});

test('RunFolder has nothing to heal where there is nothing', async (t) => {
  const folder = await runFolder(t);
  await t.notThrowsAsync(folder.heal());
});

test('RunFolder says which line of the results is wrong', async (t) => {
  const folder = await runFolder(t);
  await folder.appendResults(results.slice(0, 1));
  await appendFile(folder.path('results.ndjson'), '{"protocol":1}\n');
  const error = await rejection(folder.readResults());
  t.is(error.code, 'RUN_DAMAGED');
  t.regex(error.message, /results\.ndjson line 2: has no checksum/);
});

test('RunFolder says STORAGE_FAILED where a file is in the way', async (t) => {
  const data = await dataFolder(t);
  await appendFile(join(data, 'runs'), 'a file');
  const error = await rejection(RunFolder.of(data, run.runId).appendResults(results));
  t.is(error.code, 'STORAGE_FAILED');
});

test('RunFolder lists runs newest first, whatever they are called', async (t) => {
  const data = await dataFolder(t);
  const ids = ['zebra-20261123-090000-aa', 'ant-20261123-090001-bb', 'mule-20251231-235959-cc'];
  for (const id of ids) await mkdir(join(data, 'runs', id), { recursive: true });
  await appendFile(join(data, 'runs', 'note-20271123-090000'), 'not a folder');
  await mkdir(join(data, 'runs', '.unpacking-20271123-090000'));
  await mkdir(join(data, 'runs', 'foreign'));
  t.deepEqual(await RunFolder.list(data), [ids[1], ids[0], ids[2], 'foreign']);
});

test('RunFolder heals a long torn tail, and leaves what stands before it', async (t) => {
  const folder = await runFolder(t);
  const path = folder.path('results.ndjson');
  for (let times = 0; times < 10; times += 1) await folder.appendResults(results);
  const whole = await readFile(path, 'utf8');
  t.true(whole.length > 150_000);
  await appendFile(path, Buffer.alloc(200_000));
  await folder.heal();
  t.is(await readFile(path, 'utf8'), whole);
});

test('RunFolder lists nothing where there is nothing', async (t) => {
  t.deepEqual(await RunFolder.list(await dataFolder(t)), []);
});
