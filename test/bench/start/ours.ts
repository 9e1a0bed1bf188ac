import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '../../../coordinator/cli/client.ts';
import type { Home } from '../../../coordinator/cli/home.ts';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import { isEnded } from '../../../schemas/run.ts';
import type { StartRow } from './rows.ts';
import { startTrialOf } from './rows.ts';
import type { KnownClock } from './rows.ts';

/** What a series of trials adds to a row. */
export interface Series {
  readonly home: Home;
  readonly client: Client;
  /** Label of the devices. */
  readonly pair: string;
  readonly trials: number;
  readonly seed: number;
  readonly clockOf: (deviceId: string) => KnownClock;
}

/** Runs no-op trials as any run is run, and reads what came out from the run's folder. */
export async function measureOurs(row: StartRow, series: Series): Promise<void> {
  const { client, home, pair, trials, seed } = series;
  const { run } = await client.ask('submit', {
    experimentYaml: [
      'experiment: start-benchmark',
      'question: How well do two devices start together?',
      'procedure: { kind: no-op }',
      'factors: { sandbox: [process], function: [hello-go] }',
      `repetitions: ${trials}`,
      `seed: ${seed}`,
      `devices: { labels: { pair: ${pair} }, minimum: 2 }`,
      'budget: { latenessMs: 1000, clockBoundMs: 100 }',
    ].join('\n'),
  });
  for (;;) {
    const [now] = (await client.ask('runs', { runId: run.runId })).runs;
    if (now !== undefined && isEnded(now.state)) {
      if (now.state !== 'completed')
        throw new Error(`run ${now.state}: ${now.failure?.message ?? ''}`);
      break;
    }
    await delay(300);
  }
  const folder = RunFolder.of(home.folder, run.runId);
  const results = Map.groupBy(await folder.readResults(), ({ trialId }) => trialId);
  for (const together of results.values()) {
    const trial = startTrialOf(together, series.clockOf);
    if (trial === undefined) row.unusable += together.length;
    else row.trials.push(trial);
  }
  const events = await folder.readEvents();
  let lastDoneMs: number | undefined;
  let lastStartNs: bigint | undefined;
  for (const event of events) {
    if (event.event === 'done') lastDoneMs = event.atUtcMs;
    if (event.event === 'armed' && lastDoneMs !== undefined) {
      row.armMs.push(event.atUtcMs - lastDoneMs);
    }
    if (event.event !== 'gone') continue;
    const startNs = BigInt(event.startAtFleetNs);
    if (lastStartNs !== undefined) row.trialMs.push(Number(startNs - lastStartNs) / 1e6);
    lastStartNs = startNs;
  }
}
