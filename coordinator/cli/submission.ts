import { setTimeout as delay } from 'node:timers/promises';
import { errorCodeOf, errorMessageOf } from '../../schemas/errors.ts';
import type { Session } from './session.ts';

/** How often it is asked again while devices find out what they can run, ms. */
const ASK_EVERY_MS = 500;

/** Kinds of sandbox that were never tried may take a minute each. */
const GIVE_UP_AFTER_MS = 900_000;

/** An experiment as the coordinator takes it. */
export interface SubmittedText {
  readonly text: string;
  readonly repetitions?: number | undefined;
}

/** The message that submits an experiment, or asks for its plan. */
export function submission({ text, repetitions }: SubmittedText): {
  experimentYaml: string;
  repetitions?: number;
} {
  return { experimentYaml: text, ...(repetitions === undefined ? {} : { repetitions }) };
}

/**
 * Asks about an experiment, and waits while devices still find out whether they can run its kinds
 * of sandbox.
 *
 * @throws LockstepError as the coordinator refuses; DEVICE_PROBING if it takes too long.
 */
export async function askOnceProbed<T>(
  { output, signal }: Pick<Session, 'output' | 'signal'>,
  ask: () => Promise<T>,
): Promise<T> {
  const giveUpAtMs = performance.now() + GIVE_UP_AFTER_MS;
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await ask();
    } catch (error) {
      const isProbing = errorCodeOf(error) === 'DEVICE_PROBING';
      if (!isProbing || performance.now() > giveUpAtMs) throw error;
      if (isFirst && !output.isTerminal) output.say(errorMessageOf(error));
      output.live(errorMessageOf(error));
    }
    await delay(ASK_EVERY_MS, undefined, { signal });
  }
}
