import { errorMessageOf, LockstepError } from '../../schemas/errors.ts';
import type { Slot } from '../sandboxes/network.ts';
import { InstanceLife } from './instance-life.ts';
import type { ArmedProcedure, ProcedureContext, ProcedureOutcome } from './procedure.ts';

/** Sandboxes that are created or removed at the same time, at most. */
const SET_UP_CONCURRENCY = 4;

/**
 * When a function is called: once it is ready itself, or at one instant once those of every device
 * of the trial are.
 */
export type CallAfter = 'own-ready' | 'all-ready';

/**
 * Arms a number of sandboxes that start together: all are created and wait at their gates, then
 * all gates open in one synchronous loop.
 */
export async function armTogether(
  context: ProcedureContext,
  count: number,
  callAfter: CallAfter,
): Promise<ArmedProcedure> {
  const slots = await context.slots.acquire(context.driver.slotKind, count);
  const lives: InstanceLife[] = [];
  try {
    await inBatches(slots, async (slot, index) => {
      lives[index] = await InstanceLife.create(context, index, slot);
    });
  } catch (error) {
    await cleanUp(context, lives, slots);
    throw error;
  }
  return {
    targets: lives.map((life) => life.target()),
    start: async (requestAtMonoNs) => {
      for (const life of lives) life.release(requestAtMonoNs);
      await answer(context, lives, callAfter);
      return finish(context, lives, slots);
    },
    standDown: () => cleanUp(context, lives, slots),
  };
}

async function answer(
  context: ProcedureContext,
  lives: readonly InstanceLife[],
  callAfter: CallAfter,
): Promise<void> {
  if (callAfter === 'own-ready') {
    await Promise.all(
      lives.map(async (life) => {
        await life.awaitReady();
        await life.call();
      }),
    );
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

async function finish(
  context: ProcedureContext,
  lives: readonly InstanceLife[],
  slots: readonly Slot[],
): Promise<ProcedureOutcome> {
  for (const life of lives) life.readUsage();
  const leftovers = await cleanUp(context, lives, slots);
  const finals = lives.flatMap((life) => life.finals);
  return { instances: lives.map((life) => life.record()), leftovers, finals };
}

async function cleanUp(
  context: ProcedureContext,
  lives: readonly InstanceLife[],
  slots: readonly Slot[],
): Promise<string[]> {
  const leftovers: string[] = [];
  // A gap in the list is an instance whose creation failed: its driver cleaned up after itself.
  const created = Object.values(lives);
  await inBatches(created, async (life) => {
    try {
      leftovers.push(...(await life.tearDown()));
    } catch (error) {
      leftovers.push(errorMessageOf(error));
    }
  });
  context.slots.release(slots);
  return leftovers;
}

async function inBatches<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  for (let begin = 0; begin < items.length; begin += SET_UP_CONCURRENCY) {
    const batch = items.slice(begin, begin + SET_UP_CONCURRENCY);
    const settled = await Promise.allSettled(
      batch.map((item, offset) => work(item, begin + offset)),
    );
    const rejected = settled.find((outcome) => outcome.status === 'rejected');
    if (rejected !== undefined) throw rejected.reason;
  }
}
