import { setTimeout as delay } from 'node:timers/promises';
import { isEnded, Progress } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run.ts';
import { progressSubject } from '../../schemas/subjects.ts';
import type { Client } from './client.ts';
import { formatDuration } from './duration.ts';
import type { Output } from './output.ts';

/** The run itself is asked for this often, because what is told on the way may be lost, ms. */
const ASK_EVERY_MS = 1500;

/** Without a terminal a line is written at most this often, ms. */
const PLAIN_LINE_EVERY_MS = 5000;

/** Shows a run's progress until it has ended, and returns it. */
export async function followRun(
  client: Client,
  runId: string,
  output: Output,
  signal: AbortSignal,
): Promise<Run> {
  let lastLineAtMs = 0;
  let lastState = '';
  const listening = await client.bus.subscribe(progressSubject(runId), Progress, (progress) => {
    const line = progressLine(progress, output);
    output.live(line);
    const mustShow = progress.failure !== undefined || progress.isDecision === true;
    if (mustShow) output.say(`  ${progress.message}`);
    const isNews = progress.state !== lastState || Date.now() - lastLineAtMs > PLAIN_LINE_EVERY_MS;
    lastState = progress.state;
    if (output.isTerminal || !isNews) return;
    lastLineAtMs = Date.now();
    output.say(line);
  });
  try {
    for (;;) {
      const { runs } = await client.ask('runs', { runId });
      const [run] = runs;
      if (run !== undefined && isEnded(run.state)) return run;
      signal.throwIfAborted();
      await delay(ASK_EVERY_MS, undefined, { signal });
    }
  } finally {
    output.clearLive();
    await listening.close();
  }
}

function progressLine(progress: Progress, output: Output): string {
  const { state, trialsDone, trialsPlanned, etaMs, message } = progress;
  const share = trialsPlanned === 0 ? 0 : trialsDone / trialsPlanned;
  const eta =
    etaMs === undefined || trialsDone === trialsPlanned ? '' : ` eta ${formatDuration(etaMs)}`;
  const count = `${trialsDone}/${trialsPlanned}`;
  const percent = `${Math.floor(share * 100)} %`;
  return `${output.style('bold', state)} ${bar(share)} ${count} ${percent}${eta}  ${message}`;
}

function bar(share: number): string {
  const width = 20;
  const full = Math.round(share * width);
  return `[${'='.repeat(full)}${' '.repeat(width - full)}]`;
}
