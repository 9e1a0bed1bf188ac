import { errorMessageOf } from '../../schemas/errors.ts';
import type { Slot } from '../sandboxes/network.ts';
import { InstanceLife } from './instance-life.ts';
import type { InstanceContext } from './instance-life.ts';

/** Sandboxes that are created or removed at the same time, at most. */
const SET_UP_CONCURRENCY = 4;

/**
 * Creates a sandbox in each slot; all wait at their gates.
 *
 * @param firstIndex number of the first of them within the trial.
 * @throws LockstepError whatever the driver throws; what was created is removed again.
 */
export async function createLives(
  context: InstanceContext,
  slots: readonly Slot[],
  firstIndex = 0,
): Promise<InstanceLife[]> {
  const lives: InstanceLife[] = [];
  try {
    await inBatches(slots, async (slot, place) => {
      lives[place] = await InstanceLife.create(context, firstIndex + place, slot);
    });
    return lives;
  } catch (error) {
    // A gap in the list is an instance whose creation failed: its driver cleaned up after itself.
    await removeLives(Object.values(lives));
    throw error;
  }
}

/** Removes sandboxes, whatever their state, and returns what could not be removed. */
export async function removeLives(lives: readonly InstanceLife[]): Promise<string[]> {
  const leftovers: string[] = [];
  await inBatches(lives, async (life) => {
    try {
      leftovers.push(...(await life.tearDown()));
    } catch (error) {
      leftovers.push(errorMessageOf(error));
    }
  });
  return leftovers;
}

/** Waits until each is ready, and calls each once it is. Never rejects. */
export async function answerEach(lives: readonly InstanceLife[]): Promise<void> {
  await Promise.all(
    lives.map(async (life) => {
      await life.awaitReady();
      await life.call();
    }),
  );
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
