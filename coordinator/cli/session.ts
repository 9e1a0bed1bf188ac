import { errorCodeOf } from '../../schemas/errors.ts';
import { Client } from './client.ts';
import type { ClientOptions } from './client.ts';
import { EXIT_CODES, exitCodeOf } from './exit-codes.ts';
import { Home } from './home.ts';
import { Output } from './output.ts';

/** Options of the program itself, before the command. */
export interface GlobalOptions {
  readonly data?: string;
  readonly color: boolean;
}

/** What a command works with. */
export interface Session {
  readonly home: Home;
  readonly output: Output;
  /** Aborts at the first Ctrl-C; a second one ends the process at once. */
  readonly signal: AbortSignal;
}

/** A command: does its work and returns the exit code. */
export type Work = (session: Session) => Promise<number>;

/** Runs a command; whatever it throws is told in one place. */
export async function runCommand(options: GlobalOptions, work: Work): Promise<number> {
  const output = new Output({ colour: options.color });
  const interrupt = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (interrupt.signal.aborted) process.exit(EXIT_CODES.interrupted);
    output.say(`${name}: ending in good order; once more ends at once`);
    interrupt.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  // A reader that has seen enough, as `head` does, is no error.
  process.stdout.once('error', () => process.exit(EXIT_CODES.ok));
  try {
    return await work({ home: new Home(options.data), output, signal: interrupt.signal });
  } catch (error) {
    if (interrupt.signal.aborted) return EXIT_CODES.interrupted;
    output.fail(error);
    return exitCodeOf(errorCodeOf(error));
  } finally {
    output.clearLive();
  }
}

/** Runs a command that asks a coordinator. */
export function withClient(
  options: ClientOptions,
  work: (client: Client, session: Session) => Promise<number>,
): Work {
  return async (session) => {
    const client = await Client.connect(session.home, options);
    try {
      return await work(client, session);
    } finally {
      await client.close();
    }
  };
}
