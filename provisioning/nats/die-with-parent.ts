import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Logger } from 'pino';

/** A command line. */
export interface CommandLine {
  command: string;
  args: string[];
}

const CHECK_TIMEOUT_MS = 5000;
const execute = promisify(execFile);

/**
 * The command line in a form whose process gets SIGTERM from the kernel when its parent ends,
 * however that ends. Without setpriv (util-linux 2.33) it is the plain one, and the log says so.
 */
export async function dieWithParent(
  binary: string,
  args: string[],
  logger?: Logger,
): Promise<CommandLine> {
  const prefix = ['--pdeathsig', 'TERM', '--'];
  try {
    await execute('setpriv', [...prefix, 'true'], { timeout: CHECK_TIMEOUT_MS });
    return { command: 'setpriv', args: [...prefix, binary, ...args] };
  } catch (error) {
    logger?.warn(
      { error: error instanceof Error ? error.message : String(error) },
      'setpriv is missing: if this process is killed, nats-server goes on until the next start',
    );
    return { command: binary, args };
  }
}
