import { LockstepError } from '../../schemas/errors.ts';

/**
 * Does work that must end in time.
 *
 * @param work is given a signal that aborts with the outer one, and at the deadline
 * @throws LockstepError DEADLINE_EXCEEDED, or CANCELLED if the outer signal aborts; these come at
 * once, whatever the work does then. Else what the work throws.
 */
export async function withDeadline<T>(
  timeoutMs: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const inner = new AbortController();
  const ended = Promise.withResolvers<never>();
  const end = (error: LockstepError): void => {
    ended.reject(error);
    inner.abort(error);
  };
  const onAbort = (): void => {
    end(new LockstepError('CANCELLED', 'cut off before there was an answer'));
  };
  const timer = setTimeout(() => {
    end(new LockstepError('DEADLINE_EXCEEDED', `no answer within ${timeoutMs} ms`));
  }, timeoutMs);
  outer.addEventListener('abort', onAbort, { once: true });
  try {
    if (outer.aborted) onAbort();
    return await Promise.race([ended.promise, work(inner.signal)]);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', onAbort);
  }
}
