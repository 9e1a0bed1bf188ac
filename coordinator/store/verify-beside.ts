import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Failure, fromFailure, toFailure } from '../../schemas/failure.ts';
import { verifyDigests } from './manifest.ts';
import type { Manifest } from './manifest.ts';

/**
 * {@link verifyDigests} in a thread of its own, so that the files can be read meanwhile.
 *
 * @throws LockstepError as that does
 */
export async function verifyBeside(folder: string, manifest: Manifest): Promise<void> {
  const thread = new Worker(new URL(import.meta.url), { workerData: { folder, manifest } });
  const answered = Promise.withResolvers<Failure | undefined>();
  thread.once('message', (answer: { failure?: unknown }) => {
    answered.resolve(answer.failure === undefined ? undefined : Failure.parse(answer.failure));
  });
  thread.once('error', answered.reject);
  thread.once('exit', () => {
    answered.reject(new Error('the thread that verifies ended without an answer'));
  });
  const failure = await answered.promise;
  if (failure !== undefined) throw fromFailure(failure);
}

if (!isMainThread && parentPort !== null) {
  const { folder, manifest } = workerData as { folder: string; manifest: Manifest };
  try {
    await verifyDigests(folder, manifest);
    parentPort.postMessage({});
  } catch (error) {
    parentPort.postMessage({ failure: toFailure(error) });
  }
}
