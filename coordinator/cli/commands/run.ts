import { LockstepError } from '../../../schemas/errors.ts';
import type { Run } from '../../../schemas/run.ts';
import type { Client, ClientOptions } from '../client.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { followRun } from '../follow-run.ts';
import { readRunSummary, writeReport } from '../report-files.ts';
import type { ReadRun } from '../report-files.ts';
import { withClient } from '../session.ts';
import type { Session, Work } from '../session.ts';
import { askOnceProbed, submission } from '../submission.ts';
import type { SubmittedText } from '../submission.ts';
import { renderTable } from '../../report/table.ts';
import { readExperimentFile } from './experiment-source.ts';

/** What `lockstep run` takes. */
export interface RunOptions extends ClientOptions {
  readonly repetitions?: number;
  readonly detach?: boolean;
}

/** Time for a run to be cancelled: sandboxes that are going must be removed, ms. */
const CANCEL_TIMEOUT_MS = 150_000;

/** Starts a run, follows it, and shows its table and where its report is. */
export function run(path: string, options: RunOptions): Work {
  return async (session) => {
    const { text, experiment } = await readExperimentFile(path, session.output);
    if (experiment === undefined) return EXIT_CODES.usage;
    return withClient(options, async (client) => {
      const { repetitions } = options;
      const submitted = await submit(client, session, { text, repetitions });
      if (options.detach === true) {
        session.output.result(submitted.runId);
        return EXIT_CODES.ok;
      }
      return finishRun(client, session, submitted.runId);
    })(session);
  };
}

/** Hands an experiment to the coordinator and says what becomes of it. */
export async function submit(
  client: Client,
  session: Session,
  source: SubmittedText,
): Promise<Run> {
  const { output } = session;
  const { run: submitted } = await askOnceProbed(session, () =>
    client.ask('submit', submission(source)),
  );
  const devices = submitted.devices.map(({ presence }) => presence.deviceId).join(', ');
  output.say(`run ${submitted.runId}: ${submitted.trialsPlanned} trials on ${devices}`);
  if (submitted.waitingFor !== undefined) {
    output.say(`  it waits for ${submitted.waitingFor.join(', ')}`);
  }
  return submitted;
}

/** Follows a run to its end, then shows what came out. Ctrl-C cancels the run. */
export async function finishRun(client: Client, session: Session, runId: string): Promise<number> {
  let ended: Run;
  try {
    ended = await followRun(client, runId, session.output, session.signal);
  } catch (error) {
    if (!session.signal.aborted) throw error;
    session.output.say(`cancelling run ${runId}; what was reported is kept`);
    await client.ask('cancel', { runId }, CANCEL_TIMEOUT_MS);
    await showRun(session, runId);
    return EXIT_CODES.interrupted;
  }
  await showRun(session, runId);
  if (ended.failure !== undefined) {
    session.output.say(`run ${runId} ${ended.state}: ${ended.failure.message}`);
    if (ended.failure.hint !== undefined) session.output.say(`  hint: ${ended.failure.hint}`);
  }
  return ended.state === 'completed' ? EXIT_CODES.ok : EXIT_CODES.runFailed;
}

async function showRun({ home, output }: Session, runId: string): Promise<void> {
  let read: ReadRun;
  try {
    read = await readRunSummary(home.folder, runId);
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== 'NOT_FOUND') throw error;
    output.say(`results of ${runId} are on the coordinator's machine: lockstep results ${runId}`);
    return;
  }
  const colour = output.resultsHaveColour;
  output.result(renderTable(read.summary, { colour, width: output.width }));
  output.result(`\nreport: ${await writeReport(read)}`);
}
