import type { z } from 'zod';
import type { CONTROLS } from '../../../schemas/control.ts';
import { Plan } from '../../../schemas/plan.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import type { Experiment } from '../../../schemas/experiment.ts';
import { planPower } from '../../analysis/power-plan.ts';
import type { PowerPlan } from '../../analysis/power-plan.ts';
import { cellsOf } from '../../planning/cells.ts';
import { withRepetitions } from '../../planning/submission.ts';
import type { ClientOptions } from '../client.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { readPilot } from '../pilot-run.ts';
import type { PilotRun } from '../pilot-run.ts';
import { powerTable } from '../power-table.ts';
import { withClient } from '../session.ts';
import type { Session, Work } from '../session.ts';
import { askOnceProbed, submission } from '../submission.ts';
import { textTable } from '../text-table.ts';
import { readExperimentFile } from './experiment-source.ts';

/** What `lockstep plan` takes. */
export interface PlanOptions extends ClientOptions {
  readonly repetitions?: number;
  /** Id of the run whose values say how many are needed. Absent: one is found. */
  readonly pilot?: string;
  /** The difference of two medians that shall be found, percent. */
  readonly detect: number;
  /** Hosts that each trial will run on. Absent: as many as in the pilot. */
  readonly hosts?: number;
  /** Comparisons that the level is divided among. Absent: every pair of cells. */
  readonly comparisons?: number;
  readonly json?: boolean;
}

type Answer = z.output<(typeof CONTROLS)['plan']['reply']>;

/** How many repetitions are needed, and by which pilot that is known. */
interface Needs {
  readonly pilot: PilotRun;
  readonly power: PowerPlan;
}

/**
 * Shows what a run would do on the fleet as it is now, without doing it, and how many repetitions
 * its question needs. The latter needs no coordinator: without one it is shown all the same, and
 * the exit code says that the rest is missing.
 */
export function plan(path: string, options: PlanOptions): Work {
  return async (session) => {
    const { text, experiment: written } = await readExperimentFile(path, session.output);
    if (written === undefined) return EXIT_CODES.usage;
    const experiment = withRepetitions(written, options.repetitions);
    const needs = await readNeeds(session, experiment, options);
    const show = (answer: Answer | undefined): void => {
      if (options.json !== true) showText(session.output, { answer, needs, experiment });
      else if (answer ?? needs) showJson(session.output, answer, needs);
    };
    try {
      return await withClient(options, async (client) => {
        const source = { text, repetitions: options.repetitions };
        show(await askOnceProbed(session, () => client.ask('plan', submission(source))));
        return EXIT_CODES.ok;
      })(session);
    } catch (error) {
      if (error instanceof LockstepError && error.code === 'BUS_UNAVAILABLE') show(undefined);
      throw error;
    }
  };
}

async function readNeeds(
  { home }: Session,
  experiment: Experiment,
  options: PlanOptions,
): Promise<Needs | undefined> {
  const cellIds = cellsOf(experiment).map(({ id }) => id);
  const pilot = await readPilot(home.folder, experiment, cellIds, options.pilot);
  if (pilot === undefined) return undefined;
  const power = planPower(experiment, cellIds, pilot.units, {
    hosts: options.hosts,
    detectPercent: options.detect,
    comparisons: options.comparisons,
  });
  return { pilot, power };
}

function showJson(output: Output, answer: Answer | undefined, needs: Needs | undefined): void {
  const order = answer === undefined ? {} : { ...answer, plan: Plan.encode(answer.plan) };
  const power =
    needs === undefined
      ? {}
      : { power: { pilot: needs.pilot.runId, warnings: needs.pilot.warnings, ...needs.power } };
  output.result(JSON.stringify({ ...order, ...power }, null, 2));
}

function showText(
  output: Output,
  shown: { answer: Answer | undefined; needs: Needs | undefined; experiment: Experiment },
): void {
  const { answer, needs, experiment } = shown;
  if (answer !== undefined) showOrder(output, answer);
  if (needs === undefined) {
    output.say('no run on disk has a cell of this experiment: how many repetitions it needs is');
    output.say('  not known. Run it with 10 repetitions first; or name a run with --pilot RUN.');
    return;
  }
  if (answer !== undefined) output.result('');
  output.result(powerTable(needs.power, needs.pilot, experiment));
}

function showOrder(output: Output, answer: Answer): void {
  const { plan: ordered, trialsPlanned } = answer;
  output.result(
    textTable(
      ['trial', 'repetition', 'cell'],
      ordered.trials.map(({ trialId, repetition, cell }) => [
        trialId,
        String(repetition + 1),
        cell.id,
      ]),
    ),
  );
  const shown = ordered.trials.length;
  if (shown < trialsPlanned) output.say(`shown are the first ${shown} trials`);
  output.say(`${trialsPlanned} trials on ${answer.devices.join(', ')}`);
  for (const { deviceId, reason } of answer.notTaken) {
    output.say(`not taken: ${deviceId}: ${reason}`);
  }
  for (const { cell, deviceId, failure } of ordered.skipped) {
    output.say(`left out: ${cell.id} (${deviceId ?? 'any device'}): ${failure.message}`);
    if (failure.hint !== undefined) output.say(`  hint: ${failure.hint}`);
  }
}
