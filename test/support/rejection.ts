import { LockstepError } from '../../schemas/errors.ts';

/** The LockstepError that the promise rejects with; anything else fails the test. */
export async function rejection(promise: Promise<unknown>): Promise<LockstepError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
  throw new Error('the promise did not reject');
}
