import { createInterface } from 'node:readline';
import { toFailure } from '../../schemas/failure.ts';
import { systemClock } from '../clock/clock.ts';
import { RUNNER_METHODS, RunnerRequest } from './protocol.ts';
import type { RunnerMethod } from './protocol.ts';
import { Runner } from './runner.ts';

/** Time for cleaning up after the agent is gone, before the namespaces are torn down anyway, ms. */
const CLOSE_TIMEOUT_MS = 15_000;

const runner = new Runner(systemClock, (barrier) => {
  process.stdout.write(`${JSON.stringify({ barrier })}\n`);
});

/** The schemas are checked per method, so the table may be read without its types. */
async function call(method: RunnerMethod, params: unknown): Promise<unknown> {
  const schemas = RUNNER_METHODS[method];
  const decoded = schemas.params.decode(params as never);
  const result = await runner[method](decoded as never);
  return schemas.result.encode(result as never);
}

async function answer(line: string): Promise<void> {
  const { id, method, params } = RunnerRequest.parse(JSON.parse(line));
  let reply: object;
  try {
    reply = { id, result: await call(method, params) };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'LockstepError') {
      process.stderr.write(`runner: ${method}: ${String(error)}\n`);
    }
    reply = { id, failure: toFailure(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

// The agent ends the runner by closing its stdin, and so does the agent's own end.
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  void answer(line);
});
lines.once('close', () => {
  setTimeout(() => process.exit(1), CLOSE_TIMEOUT_MS).unref();
  runner.close().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`runner: close: ${String(error)}\n`);
      process.exit(1);
    },
  );
});
// Answers can't be written any more once the agent is gone; stdin's end does the rest.
process.stdout.on('error', () => undefined);
process.on('SIGINT', () => undefined);
