import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { RunFolder } from '../../coordinator/recording/run-folder.ts';
import type { TrialResult } from '../../schemas/result.ts';
import type { LedgerEvent } from '../../schemas/run.ts';
import { CHECKOUT } from '../support/nats-server.ts';
import { hasFunctions, TestHome } from '../support/stack.ts';

const BURST = join(CHECKOUT, 'test/system/burst.yaml');
const TRIALS = 6;
const DEVICE_ID = 'local-1';
const STOP_MS = 3000;
const WAIT_MS = 60_000;
const LOOK_EVERY_MS = 5;

/** A run during which a process stood still. */
interface Disturbed {
  readonly results: readonly TrialResult[];
  /** The trials that went, or were armed, while the process stood still. */
  readonly touched: readonly string[];
  /** The trial that had just been told to go. */
  readonly going: string;
}

// One set-up for both tests: to start one takes longer than to run the experiment.
const undo: (() => Promise<void>)[] = [];
let shared: TestHome | undefined;

async function sharedHome(): Promise<TestHome> {
  if (shared !== undefined) return shared;
  shared = await TestHome.create({ teardown: (step) => undo.push(step) });
  const up = shared.start('up', '--agents', '1', '--port', '0', '--sandboxes', 'process');
  await up.shows('ready; end it');
  return shared;
}

test.after.always(async () => {
  for (const step of undo) await step();
});

test.serial(
  'a runner that stands still for 3 s marks the trial that went, and no other',
  async (t) => {
    const disturbed = await runWithStop(t, runnerProcess);
    if (disturbed === undefined) return;
    const { results, going } = disturbed;
    const notOk = results.filter(({ status, invalid }) => status !== 'ok' || invalid.length > 0);
    t.deepEqual(
      notOk.map(({ trialId }) => trialId),
      [going],
      JSON.stringify(notOk.map(({ trialId, failure, invalid }) => ({ trialId, failure, invalid }))),
    );
    const codes = notOk.flatMap(({ invalid }) => invalid.map(({ code }) => code));
    const isMarked = codes.includes('paused') || codes.includes('late-start');
    t.true(isMarked || notOk[0]?.status === 'failed', codes.join());
  },
);

test.serial(
  'an agent that stands still for 3 s touches no other trial, and hangs none',
  async (t) => {
    const disturbed = await runWithStop(t, agentProcess);
    if (disturbed === undefined) return;
    const { results, touched } = disturbed;
    for (const { trialId, status, failure, invalid, clock } of results) {
      const isOk = status === 'ok' && invalid.length === 0;
      const told = `${trialId}: ${failure?.message ?? JSON.stringify(invalid)}`;
      if (touched.includes(trialId)) t.log(isOk ? `${trialId}: ok` : told);
      else t.true(isOk, told);
      if (!isOk) continue;
      // Agent and timekeeper read the same clock here, so the true offset is 0.
      const { offsetNs, boundNs } = clock!;
      t.true(offsetNs <= boundNs && -offsetNs <= boundNs, `${trialId}: ${offsetNs}`);
    }
  },
);

/** Runs the experiment, stops a process for a while in its third trial, and waits for the end. */
async function runWithStop(
  t: ExecutionContext,
  find: (home: TestHome) => Promise<number>,
): Promise<Disturbed | undefined> {
  if (!(await hasFunctions())) {
    t.log('skipped: the functions are not built on this machine');
    t.pass();
    return undefined;
  }
  const home = await sharedHome();
  const before = await newestRun(home);
  const running = home.run('run', BURST);
  const going = await trialThatGoes(home, 3, before);
  const processId = await find(home);
  const stoppedAtMs = Date.now();
  process.kill(processId, 'SIGSTOP');
  try {
    await delay(STOP_MS);
  } finally {
    process.kill(processId, 'SIGCONT');
  }
  const continuedAtMs = Date.now();
  const { code, stderr } = await running;
  const folder = await newestRun(home);
  const results = await folder!.readResults();
  t.is((await folder!.readRun()).state, 'completed', `${code}: ${stderr}`);
  t.is(results.length, TRIALS);
  t.is(new Set(results.map(({ trialId }) => trialId)).size, TRIALS);
  const touched = touchedTrials(await folder!.readEvents(), stoppedAtMs, continuedAtMs);
  t.true(touched.includes(going), 'the process stood still too late');
  return { results, touched, going };
}

async function newestRun(home: TestHome): Promise<RunFolder | undefined> {
  const [runId] = await RunFolder.list(home.folder);
  return runId === undefined ? undefined : RunFolder.of(home.folder, runId);
}

/** Resolves with the n-th trial as soon as the ledger says that it was told to go. */
async function trialThatGoes(
  home: TestHome,
  position: number,
  before: RunFolder | undefined,
): Promise<string> {
  const giveUpAtMs = performance.now() + WAIT_MS;
  while (performance.now() < giveUpAtMs) {
    const newest = await newestRun(home);
    const isNew = newest?.folder !== before?.folder;
    const events = isNew ? ((await newest?.readEvents()) ?? []) : [];
    const gone = events.filter(({ event }) => event === 'gone')[position - 1];
    if (gone !== undefined && 'trialId' in gone) return gone.trialId;
    await delay(LOOK_EVERY_MS);
  }
  throw new Error(`no ${position} trials went`);
}

function touchedTrials(
  events: readonly LedgerEvent[],
  stoppedAtMs: number,
  continuedAtMs: number,
): string[] {
  const touched: string[] = [];
  let begunAtMs = 0;
  for (const event of events) {
    if (event.event !== 'done') continue;
    // A trial begins when the one before is done.
    if (begunAtMs <= continuedAtMs && event.atUtcMs >= stoppedAtMs) touched.push(event.trialId);
    begunAtMs = event.atUtcMs;
  }
  return touched;
}

async function agentProcess(home: TestHome): Promise<number> {
  for (const processId of await home.processIds()) {
    const line = await commandLine(processId);
    if (line.includes('agent/main.ts') && line.includes(`${DEVICE_ID}.creds`)) return processId;
  }
  throw new Error(`no process of ${DEVICE_ID}`);
}

/** The measuring process itself, below the commands that made its namespaces. */
async function runnerProcess(home: TestHome): Promise<number> {
  let processId = await agentProcess(home);
  for (;;) {
    const [child] = await runnersBelow(processId);
    if (child === undefined) break;
    processId = child;
  }
  const line = await commandLine(processId);
  if (line.startsWith(process.execPath) && line.includes('agent/runner/main.ts')) return processId;
  throw new Error(`no runner of ${DEVICE_ID}: ${line}`);
}

async function runnersBelow(processId: number): Promise<number[]> {
  const path = `/proc/${processId}/task/${processId}/children`;
  const children = (await readFile(path, 'utf8')).split(' ').filter((word) => word !== '');
  const found: number[] = [];
  for (const child of children.map(Number)) {
    if ((await commandLine(child)).includes('agent/runner/main.ts')) found.push(child);
  }
  return found;
}

async function commandLine(processId: number): Promise<string> {
  const line = await readFile(`/proc/${processId}/cmdline`, 'utf8').catch(() => '');
  return line.replaceAll('\0', ' ');
}
