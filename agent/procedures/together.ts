import { LockstepError } from '../../schemas/errors.ts';
import type { Instance } from '../../schemas/result.ts';
import { Findings } from './findings.ts';
import type { InstanceLife } from './instance-life.ts';
import type { ArmedProcedure, ProcedureContext } from './procedure.ts';
import { answerEach, createLives, removeLives } from './sandbox-batch.ts';

/**
 * When a function is called: once it is ready itself, or at one instant once those of every device
 * of the trial are.
 */
export type CallAfter = 'own-ready' | 'all-ready';

/** What a procedure adds to sandboxes that start together. What it throws fails all of them. */
export interface Stages {
  /** Untimed: when all are created, before the start. What it throws fails the arming. */
  readonly prepare?: (lives: readonly InstanceLife[], findings: Findings) => Promise<void>;
  /** When all have answered, before they are removed. Not called if one of them failed. */
  readonly use?: (lives: readonly InstanceLife[], findings: Findings) => Promise<void>;
  /** When nothing is left of them, with their records. */
  readonly conclude?: (findings: Findings, records: readonly Instance[]) => void;
}

/**
 * Arms a number of sandboxes that start together: all are created and wait at their gates, then
 * all gates open in one synchronous loop.
 */
export async function armTogether(
  context: ProcedureContext,
  count: number,
  callAfter: CallAfter,
  stages: Stages = {},
): Promise<ArmedProcedure> {
  const slots = await context.slots.acquire(context.driver.slotKind, count);
  const findings = new Findings();
  let lives: InstanceLife[] = [];
  const cleanUp = async (): Promise<string[]> => {
    const leftovers = await removeLives(lives);
    context.slots.release(slots);
    return leftovers;
  };
  try {
    lives = await createLives(context, slots);
    await stages.prepare?.(lives, findings);
  } catch (error) {
    await cleanUp();
    throw error;
  }
  return {
    targets: lives.map((life) => life.target()),
    start: async (requestAtMonoNs) => {
      for (const life of lives) life.release(requestAtMonoNs);
      await answer(context, lives, callAfter);
      await use(lives, findings, stages);
      for (const life of lives) life.readUsage();
      const leftovers = await cleanUp();
      const finals = lives.flatMap((life) => life.finals);
      const instances = lives.map((life) => life.record());
      stages.conclude?.(findings, instances);
      return { instances, leftovers, finals, ...findings.toOutcome() };
    },
    standDown: cleanUp,
  };
}

async function use(
  lives: readonly InstanceLife[],
  findings: Findings,
  stages: Stages,
): Promise<void> {
  if (stages.use === undefined || lives.some((life) => !life.isWell)) return;
  try {
    await stages.use(lives, findings);
  } catch (error) {
    for (const life of lives) life.fail(error);
  }
}

async function answer(
  context: ProcedureContext,
  lives: readonly InstanceLife[],
  callAfter: CallAfter,
): Promise<void> {
  if (callAfter === 'own-ready') {
    await answerEach(lives);
    return;
  }
  await Promise.all(lives.map((life) => life.awaitReady()));
  // A device whose sandboxes failed stays away; the others learn of it and do not wait.
  const broken = lives.find((life) => !life.isWell);
  if (broken !== undefined) {
    for (const life of lives) life.fail(notCalled(broken));
    return;
  }
  try {
    await context.passBarrier('ready');
  } catch (error) {
    for (const life of lives) life.fail(error);
    return;
  }
  await Promise.all(lives.map((life) => life.call()));
}

function notCalled(broken: InstanceLife): LockstepError {
  const { index, failure } = broken.record();
  return new LockstepError(
    'BARRIER_BROKEN',
    `not called, because sandbox ${index} failed before the barrier: ${failure?.message ?? ''}`,
    failure?.hint === undefined ? {} : { hint: failure.hint },
  );
}
