import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { LookKeeper } from '../../../coordinator/dispatch/look-keeper.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { RunJournal } from '../../../coordinator/recording/run-journal.ts';
import type { Experiment } from '../../../schemas/experiment.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import type { LedgerEvent } from '../../../schemas/run.ts';
import { makeRun } from '../../support/run-fixture.ts';
import type { RunFixtureOptions } from '../../support/run-fixture.ts';

interface Bench {
  readonly keeper: LookKeeper;
  readonly journal: RunJournal;
  readonly events: LedgerEvent[];
  /** What watchers are told as decided. */
  readonly told: string[];
  /** Runs the trials until it is over; resolves with the whole repetitions done. */
  readonly run: (change?: (result: TrialResult) => TrialResult) => Promise<number>;
}

/** A keeper on a real journal and folder; each repetition takes a minute. */
async function openBench(
  t: ExecutionContext,
  until: NonNullable<Experiment['until']>,
  options: RunFixtureOptions = {},
): Promise<Bench> {
  const data = await mkdtemp(join(tmpdir(), 'look-keeper-'));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  const fixture = makeRun({
    sandboxes: ['process', 'runc'],
    functions: ['hello-go'],
    repetitions: 40,
    agentsPerHost: [2],
    ...options,
  });
  const run = { ...fixture.run, experiment: { ...fixture.run.experiment, until } };
  const events: LedgerEvent[] = [];
  const told: string[] = [];
  const journal = new RunJournal(run, RunFolder.of(data, run.runId), {
    bus: {
      publish: (_: string, __: unknown, { isDecision, message }: Record<string, unknown>) => {
        if (isDecision === true) told.push(String(message));
      },
    } as never,
    append: (event) => {
      events.push(event);
      return Promise.resolve();
    },
    logger: pino({ level: 'silent' }),
  });
  let minutes = 0;
  const { trials } = fixture.plan;
  const keeper = new LookKeeper(journal, trials, () => minutes * 60_000);
  const runAll: Bench['run'] = async (change = (result) => result) => {
    for (let repetition = 0; repetition < 40; repetition += 1) {
      for (const trial of trials.filter((one) => one.repetition === repetition)) {
        const results = fixture.results.filter(({ trialId }) => trialId === trial.trialId);
        keeper.note(trial, results.map(change));
      }
      minutes += 1;
      if (await keeper.isOver(repetition + 1)) return repetition + 1;
    }
    return Number.NaN;
  };
  return { keeper, journal, events, told, run: runAll };
}

const looksOf = (events: LedgerEvent[]) => events.flatMap((e) => (e.event === 'look' ? [e] : []));

test('a run ends at the first look at which every cell is precise enough', async (t) => {
  const until = { of: 'median' as const, halfWidthPercent: 30, looks: [5, 10, 20] };
  const { run, journal, events, told } = await openBench(t, until);
  t.is(await run(), 10);
  const { stopped } = journal.run;
  t.like(stopped, { rule: 'precise', repetitions: 10, look: 2 });
  t.deepEqual(
    looksOf(events).map(({ repetitions, decision }) => [repetitions, decision]),
    [
      [5, 'go-on'],
      [10, 'stop'],
    ],
  );
  t.is(told.length, 3, 'both looks and the end');
  t.is(told.at(-1), stopped?.reason);
  const onDisk = await journal.folder.readRun();
  t.deepEqual(onDisk.stopped, stopped);
  t.is((await journal.folder.readEvents()).at(-1)?.event, 'stopped');
});

test('agents that share a host give one value per trial', async (t) => {
  const until = { of: 'median' as const, halfWidthPercent: 1, looks: [10] };
  const { run, events } = await openBench(t, until, { agentsPerHost: [3, 1] });
  await run();
  t.deepEqual(
    looksOf(events)[0]?.cells.map(({ n }) => n),
    [20, 20],
  );
});

test('failed and invalid results are no values', async (t) => {
  const until = { of: 'median' as const, halfWidthPercent: 100, looks: [10] };
  const { run, events } = await openBench(t, until, { agentsPerHost: [1] });
  await run((result) => {
    if (result.cell.sandbox === 'runc') return { ...result, status: 'failed' };
    const mark = { code: 'late-start' as const, message: 'late' };
    return Number(result.trialId.slice(1)) % 4 < 2 ? { ...result, invalid: [mark] } : result;
  });
  const cells = looksOf(events)[0]?.cells ?? [];
  const [process, runc] = ['process', 'runc'].map((sandbox) =>
    cells.find(({ cellId }) => cellId === `${sandbox}/hello-go/1`),
  );
  t.is(runc?.n, 0);
  t.true((process?.n ?? 0) > 0 && (process?.n ?? 10) < 10);
  t.is(looksOf(events)[0]?.decision, 'go-on', 'a cell without values holds the run');
});

test('a run that is never precise ends at its maximum and says which cell is not', async (t) => {
  const until = { of: 'median' as const, halfWidthPercent: 0.01, looks: [10] };
  const { run, journal } = await openBench(t, until);
  t.is(await run(), 40);
  t.like(journal.run.stopped, { rule: 'maximum', repetitions: 40, look: 2 });
  t.regex(journal.run.stopped?.reason ?? '', /runc\/hello-go\/1 is at ±.*needs about \d+/);
});

test('the time limit ends a run after a whole repetition, without a look', async (t) => {
  const until = {
    of: 'median' as const,
    halfWidthPercent: 0.01,
    timeLimitMinutes: 12.5,
    looks: [30],
  };
  const { run, journal, events } = await openBench(t, until);
  t.is(await run(), 13);
  t.like(journal.run.stopped, { rule: 'time-limit', repetitions: 13 });
  t.is(journal.run.stopped?.look, undefined);
  t.is(journal.run.stopped?.cells.length, 2);
  t.deepEqual(looksOf(events), []);
});

test('a run that can not be precise is told of at its start', async (t) => {
  const until = { of: 'p95' as const, halfWidthPercent: 5, looks: [20] };
  const { told } = await openBench(t, until);
  t.regex(told[0] ?? '', /95th percentile needs \d+ values of each cell, and this run has 40 at/);
});

test('a time limit alone looks at no value', async (t) => {
  const { run, journal } = await openBench(t, { of: 'median', timeLimitMinutes: 3 });
  t.is(await run(), 3);
  t.deepEqual(journal.run.stopped, {
    rule: 'time-limit',
    repetitions: 3,
    reason: 'The time limit of 3 minutes was over after 3 of 40 repetitions.',
    cells: [],
  });
});

test('a run that is done when its time is over has not been cut short', async (t) => {
  const { run, journal } = await openBench(t, { of: 'median', timeLimitMinutes: 40 });
  t.is(await run(), Number.NaN);
  t.is(journal.run.stopped, undefined);
});
