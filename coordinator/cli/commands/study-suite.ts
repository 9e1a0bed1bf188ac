import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError, errorCodeOf } from '../../../schemas/errors.ts';
import { toFailure } from '../../../schemas/failure.ts';
import type { Failure } from '../../../schemas/failure.ts';
import { isEnded } from '../../../schemas/run.ts';
import type { Run } from '../../../schemas/run.ts';
import { isUnavailable } from '../../study/unmeasured-experiment.ts';
import type { Step, StudyFolder, StudyState } from '../../study/study-folder.ts';
import type { Client } from '../client.ts';
import { formatDuration } from '../duration.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { followRun } from '../follow-run.ts';
import { readRunSummary, writeReport } from '../report-files.ts';
import type { Session } from '../session.ts';
import { askOnceProbed, submission } from '../submission.ts';

/** Time for a run to be cancelled: sandboxes that are going must be removed, ms. */
const CANCEL_TIMEOUT_MS = 150_000;

/** Between two experiments the devices become free, ms. */
const BUSY_RETRY_MS = 1000;
const BUSY_RETRIES_MAX = 30;

/** Refusals that the next experiment would meet as well: the suite ends there. */
const ENDS_SUITE = ['BUS_UNAVAILABLE', 'BUS_DENIED', 'CANCELLED', 'COORDINATOR_STOPPED'];

/**
 * Runs what is left of a study, one experiment after the other, and keeps its state after each
 * step. An experiment that fails does not stop the others.
 *
 * @returns the exit code, and the state as it is on disk.
 */
export async function runSuite(
  client: Client,
  session: Session,
  study: { folder: StudyFolder; state: StudyState },
): Promise<{ code: number; state: StudyState }> {
  const { folder } = study;
  let { state } = study;
  const count = state.steps.length;
  const beganAtMs = performance.now();
  for (const [index, { name }] of state.steps.entries()) {
    const step = state.steps[index];
    if (step === undefined || step.state === 'done') continue;
    session.output.say(`${index + 1}/${count} ${name}`);
    const keep = async (changed: Step): Promise<void> => {
      state = await folder.writeStep(state, changed);
    };
    try {
      await runStep({ client, session, folder }, step, keep);
    } catch (error) {
      if (!session.signal.aborted) throw error;
      // What is not done begins anew when the study is resumed.
      await keep({ name, state: 'pending' });
      return { code: EXIT_CODES.interrupted, state };
    }
    session.signal.throwIfAborted();
  }
  session.output.say(
    `all experiments ended after ${formatDuration(performance.now() - beganAtMs)}`,
  );
  const isFaulty = state.steps.some(
    ({ failure }) => failure !== undefined && !isUnavailable(failure),
  );
  return { code: isFaulty ? EXIT_CODES.runFailed : EXIT_CODES.ok, state };
}

interface StepContext {
  readonly client: Client;
  readonly session: Session;
  readonly folder: StudyFolder;
}

async function runStep(
  context: StepContext,
  step: Step,
  keep: (step: Step) => Promise<void>,
): Promise<void> {
  const { session } = context;
  const { name } = step;
  let runId: string;
  try {
    runId = (await goingOn(context, step)) ?? (await submitted(context, name));
  } catch (error) {
    if (session.signal.aborted || ENDS_SUITE.includes(errorCodeOf(error))) throw error;
    const failure = toFailure(error);
    session.output.say(`  refused: ${failure.code}: ${failure.message}`);
    await keep({ name, state: 'failed', failure });
    return;
  }
  await keep({ name, state: 'running', runId });
  const ended = await follow(context, runId);
  const failure = failureOf(ended);
  const state = failure === undefined ? 'done' : 'failed';
  await keep({ name, state, runId, ...(failure === undefined ? {} : { failure }) });
  await tell(session, ended);
}

/** The run of a step that was begun earlier, if it still goes on or came to its end. */
async function goingOn({ client }: StepContext, { runId }: Step): Promise<string | undefined> {
  if (runId === undefined) return undefined;
  const { runs } = await client.ask('runs', { runId });
  const [run] = runs;
  const isUsable = run !== undefined && (!isEnded(run.state) || run.state === 'completed');
  return isUsable ? runId : undefined;
}

async function submitted({ client, session, folder }: StepContext, name: string): Promise<string> {
  const text = await folder.experimentText(name);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { run } = await askOnceProbed(session, () =>
        client.ask('submit', submission({ text })),
      );
      session.output.say(`  run ${run.runId}: ${run.trialsPlanned} trials`);
      return run.runId;
    } catch (error) {
      if (errorCodeOf(error) !== 'AGENT_BUSY' || attempt >= BUSY_RETRIES_MAX) throw error;
      await delay(BUSY_RETRY_MS, undefined, { signal: session.signal });
    }
  }
}

async function follow({ client, session }: StepContext, runId: string): Promise<Run> {
  const { output, signal } = session;
  try {
    return await followRun(client, runId, output, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    output.say(`  cancelling run ${runId}; the study can be resumed`);
    await client.ask('cancel', { runId }, CANCEL_TIMEOUT_MS);
    throw error;
  }
}

function failureOf({ state, failure }: Run): Failure | undefined {
  if (state === 'completed') return undefined;
  return failure ?? { code: 'CANCELLED', message: `the run was ${state}` };
}

async function tell({ home, output }: Session, run: Run): Promise<void> {
  const { runId, state, failure } = run;
  if (failure !== undefined) output.say(`  ${state}: ${failure.code}: ${failure.message}`);
  try {
    const read = await readRunSummary(home.folder, runId);
    output.say(`  ${state}; report: ${await writeReport(read)}`);
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    output.say(`  ${state}; no report: ${error.message}`);
  }
}
