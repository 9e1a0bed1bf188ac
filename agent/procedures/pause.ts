import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError } from '../../schemas/errors.ts';

/**
 * Waits.
 *
 * @throws LockstepError CANCELLED as soon as the trial is stood down.
 */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (cause) {
    throw new LockstepError('CANCELLED', 'the trial was stood down', { cause });
  }
}
