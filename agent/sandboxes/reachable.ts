import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError } from '../../schemas/errors.ts';

const ATTEMPT_MS = 50;
const RETRY_MS = 1;

/**
 * Waits until somebody listens at an address, by connecting to it again and again: each attempt is
 * given up after 50 ms, because the kernel itself would repeat a lost one only after a second.
 * Returns CLOCK_MONOTONIC in ns when the connection stood.
 *
 * @throws LockstepError DEADLINE_EXCEEDED if nobody does in time, CANCELLED by the signal.
 */
export async function awaitListener(
  { address, port }: { readonly address: string; readonly port: number },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<bigint> {
  const deadline = performance.now() + timeoutMs;
  while (!signal.aborted) {
    const atMonoNs = await tryConnect(address, port);
    if (atMonoNs !== undefined) return atMonoNs;
    if (performance.now() > deadline) {
      throw new LockstepError(
        'DEADLINE_EXCEEDED',
        `nobody listened at ${address}:${port} within ${timeoutMs} ms`,
        { hint: 'Look at the log of the sandbox.' },
      );
    }
    await delay(RETRY_MS);
  }
  throw new LockstepError('CANCELLED', `${address}:${port} is waited for no longer`);
}

function tryConnect(host: string, port: number): Promise<bigint | undefined> {
  const { promise, resolve } = Promise.withResolvers<bigint | undefined>();
  const socket = connect({ host, port });
  const timer = setTimeout(() => {
    resolve(undefined);
  }, ATTEMPT_MS);
  socket.once('connect', () => {
    resolve(process.hrtime.bigint());
  });
  socket.once('error', () => {
    resolve(undefined);
  });
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}
