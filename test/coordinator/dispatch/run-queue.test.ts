import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { RunQueue } from '../../../coordinator/dispatch/run-queue.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { RunJournal } from '../../../coordinator/recording/run-journal.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import type { Run } from '../../../schemas/run.ts';
import { rejection } from '../../support/rejection.ts';
import { makeRun } from '../../support/run-fixture.ts';

const logger = pino({ level: 'silent' });
const fixture = makeRun({ sandboxes: ['process'], repetitions: 1, agentsPerHost: [3] });

/** A queue whose runs go on until they are told how to end. */
class Bench {
  readonly queue: RunQueue;
  readonly started: string[] = [];
  readonly #data: string;
  readonly #ends = new Map<string, PromiseWithResolvers<undefined>>();
  readonly #starts = new Map<string, PromiseWithResolvers<undefined>>();

  constructor(data: string) {
    this.#data = data;
    this.queue = new RunQueue(async ({ run }, _plan, signal) => {
      const end = this.#ends.get(run.runId)!;
      signal.addEventListener('abort', () => {
        end.resolve(undefined);
      });
      this.started.push(run.runId);
      this.#starts.get(run.runId)!.resolve(undefined);
      await end.promise;
    }, logger);
  }

  static async open(t: ExecutionContext): Promise<Bench> {
    const data = await mkdtemp(join(tmpdir(), 'run-queue-'));
    const bench = new Bench(data);
    t.teardown(async () => {
      await bench.queue.close();
      await rm(data, { recursive: true, force: true });
    });
    return bench;
  }

  /** Adds a run on some of the three devices. */
  add(runId: string, deviceNumbers: readonly number[]): void {
    this.#ends.set(runId, Promise.withResolvers());
    this.#starts.set(runId, Promise.withResolvers());
    const devices = deviceNumbers.map((number) => fixture.run.devices[number - 1]!);
    const run: Run = { ...fixture.run, runId, devices, state: 'queued' };
    const journal = new RunJournal(run, RunFolder.of(this.#data, runId), {
      bus: { publish: () => undefined } as never,
      append: () => Promise.resolve(),
      logger,
    });
    this.queue.add(journal, fixture.plan);
  }

  hasStarted(runId: string): Promise<undefined> {
    return this.#starts.get(runId)!.promise;
  }

  end(runId: string, error?: Error): void {
    const end = this.#ends.get(runId)!;
    if (error === undefined) end.resolve(undefined);
    else end.reject(error);
  }

  written(runId: string): Promise<Run> {
    return RunFolder.of(this.#data, runId).readRun();
  }

  get waitingOrGoing(): string[] {
    return this.queue.runs.map(({ runId }) => runId);
  }
}

test('RunQueue lets runs on the same device go one after the other, in order', async (t) => {
  const bench = await Bench.open(t);
  for (const runId of ['a', 'b', 'c']) bench.add(runId, [1]);
  t.deepEqual(bench.started, ['a']);
  t.deepEqual(bench.waitingOrGoing, ['a', 'b', 'c']);
  bench.end('a');
  await bench.hasStarted('b');
  t.deepEqual(bench.started, ['a', 'b']);
  t.is((await bench.written('a')).state, 'completed');
  bench.end('b');
  await bench.hasStarted('c');
  t.deepEqual(bench.waitingOrGoing, ['c']);
});

test('RunQueue lets runs on different devices go together', async (t) => {
  const bench = await Bench.open(t);
  bench.add('a', [1]);
  bench.add('b', [2, 3]);
  t.deepEqual(bench.started, ['a', 'b']);
});

test('RunQueue lets no later run overtake one that waits for the same device', async (t) => {
  const bench = await Bench.open(t);
  bench.add('a', [1]);
  bench.add('b', [1, 2]);
  bench.add('c', [2]);
  t.deepEqual(bench.started, ['a']);
  bench.end('a');
  await bench.hasStarted('b');
  t.deepEqual(bench.started, ['a', 'b']);
  bench.end('b');
  await bench.hasStarted('c');
});

test('RunQueue tells which runs a new one would wait for', async (t) => {
  const bench = await Bench.open(t);
  bench.add('a', [1]);
  bench.add('b', [1, 2]);
  t.deepEqual(bench.queue.blocking(['agent-1']), ['a', 'b']);
  t.deepEqual(bench.queue.blocking(['agent-2', 'agent-3']), ['b']);
  t.deepEqual(bench.queue.blocking(['agent-3']), []);
});

test('RunQueue cancels a run that goes; the next one then goes', async (t) => {
  const bench = await Bench.open(t);
  bench.add('a', [1]);
  bench.add('b', [1]);
  await bench.queue.cancel('a');
  const written = await bench.written('a');
  t.is(written.state, 'cancelled');
  t.not(written.endedAtUtcMs, fixture.run.endedAtUtcMs, 'not the time of the fixture');
  await bench.hasStarted('b');
  t.deepEqual(bench.waitingOrGoing, ['b']);
});

test('RunQueue cancels a run that waits without ever starting it', async (t) => {
  const bench = await Bench.open(t);
  bench.add('a', [1]);
  bench.add('b', [1]);
  bench.add('c', [1]);
  await bench.queue.cancel('b');
  t.is((await bench.written('b')).state, 'cancelled');
  t.deepEqual(bench.waitingOrGoing, ['a', 'c']);
  bench.end('a');
  await bench.hasStarted('c');
  t.deepEqual(bench.started, ['a', 'c']);
});

test('RunQueue says NOT_FOUND for a run that neither waits nor goes', async (t) => {
  const bench = await Bench.open(t);
  const error = await rejection(bench.queue.cancel('nope'));
  t.is(error.code, 'NOT_FOUND');
  t.regex(error.message, /nope/);
});

test('RunQueue marks a run failed with the code of its error, and goes on', async (t) => {
  const bench = await Bench.open(t);
  bench.add('a', [1]);
  bench.add('b', [1]);
  bench.end('a', new LockstepError('DEVICE_DECLINED', 'no', { hint: 'Ask again.' }));
  await bench.hasStarted('b');
  const { state, failure } = await bench.written('a');
  t.is(state, 'failed');
  t.deepEqual(failure, { code: 'DEVICE_DECLINED', message: 'no', hint: 'Ask again.' });
});

test('RunQueue marks a run failed as INTERNAL if a bug ended it', async (t) => {
  const bench = await Bench.open(t);
  bench.add('a', [1]);
  bench.add('b', [1]);
  bench.end('a', new TypeError('x is not a function'));
  await bench.hasStarted('b');
  t.is((await bench.written('a')).failure?.code, 'INTERNAL');
});

test('RunQueue cancels everything when it closes, and starts nothing more', async (t) => {
  const bench = await Bench.open(t);
  for (const runId of ['a', 'b']) bench.add(runId, [1]);
  await bench.queue.close();
  t.deepEqual(bench.started, ['a']);
  t.deepEqual(bench.waitingOrGoing, []);
  for (const runId of ['a', 'b']) t.is((await bench.written(runId)).state, 'cancelled');
});

test('RunQueue still tells of a run whose end the disk did not take', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'run-queue-'));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  const queue = new RunQueue(
    () => Promise.reject(new LockstepError('STORAGE_FULL', 'full')),
    logger,
  );
  const run: Run = { ...fixture.run, runId: 'full', state: 'queued' };
  const journal = new RunJournal(run, RunFolder.of(data, run.runId), {
    bus: { publish: () => undefined } as never,
    append: () => Promise.reject(new LockstepError('STORAGE_FULL', 'full')),
    logger,
  });
  queue.add(journal, fixture.plan);
  await queue.cancel(run.runId);
  t.deepEqual(
    queue.runs.map(({ runId, state, failure }) => ({ runId, state, code: failure?.code })),
    [{ runId: 'full', state: 'failed', code: 'STORAGE_FULL' }],
  );
});
