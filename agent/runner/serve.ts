import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { toFailure } from '../../schemas/failure.ts';
import type { Clock } from '../clock/clock.ts';
import { RUNNER_METHODS, RunnerRequest } from './protocol.ts';
import type { RunnerMethod } from './protocol.ts';
import { Runner } from './runner.ts';

/** Time for cleaning up after the agent is gone, before the namespaces are torn down anyway, ms. */
const CLOSE_TIMEOUT_MS = 15_000;

/**
 * Serves the agent's requests over stdin and stdout, see RUNNER_METHODS, until stdin ends.
 *
 * @returns the exit code that the process is to end with, once all is cleaned up or too long was
 * spent on that.
 */
export async function serveRunner(clock: Clock): Promise<number> {
  const runner = new Runner(clock, (barrier) => {
    process.stdout.write(`${JSON.stringify({ barrier })}\n`);
  });
  // Answers can't be written any more once the agent is gone; stdin's end does the rest.
  process.stdout.on('error', () => undefined);
  process.on('SIGINT', () => undefined);
  // The agent ends the runner by closing its stdin, and so does the agent's own end.
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    void answer(runner, line);
  });
  await once(lines, 'close');
  const tooLong = delay(CLOSE_TIMEOUT_MS, 1, { ref: false });
  return Promise.race([tooLong, close(runner)]);
}

async function close(runner: Runner): Promise<number> {
  try {
    await runner.close();
    return 0;
  } catch (error) {
    process.stderr.write(`runner: close: ${String(error)}\n`);
    return 1;
  }
}

/** The schemas are checked per method, so the table may be read without its types. */
async function call(runner: Runner, method: RunnerMethod, params: unknown): Promise<unknown> {
  const schemas = RUNNER_METHODS[method];
  const decoded = schemas.params.decode(params as never);
  const result = await runner[method](decoded as never);
  return schemas.result.encode(result as never);
}

async function answer(runner: Runner, line: string): Promise<void> {
  const { id, method, params } = RunnerRequest.parse(JSON.parse(line));
  let reply: object;
  try {
    reply = { id, result: await call(runner, method, params) };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'LockstepError') {
      process.stderr.write(`runner: ${method}: ${String(error)}\n`);
    }
    reply = { id, failure: toFailure(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
