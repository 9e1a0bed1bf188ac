import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const OUTPUT_TAIL_LENGTH = 1500;

/** How to run a program. */
export interface ProgramOptions {
  readonly timeoutMs: number;
  readonly folder?: string;
  /** The whole environment of the program; by default that of this process. */
  readonly environment?: Record<string, string>;
}

/**
 * Runs a program to its end and returns what it printed to its standard output.
 *
 * @throws LockstepError TOOL_MISSING if there is no such program, INTERNAL if it failed; the
 * message ends with what it printed.
 */
export async function runProgram(
  program: string,
  words: readonly string[],
  options: ProgramOptions,
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, words, {
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: OUTPUT_BYTES_MAX,
      ...(options.folder === undefined ? {} : { cwd: options.folder }),
      ...(options.environment === undefined ? {} : { env: options.environment }),
    });
    return stdout;
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const printed =
      error instanceof Error && 'stderr' in error && typeof error.stderr === 'string'
        ? error.stderr.trim().slice(-OUTPUT_TAIL_LENGTH)
        : '';
    const reason = printed === '' ? errorMessageOf(error) : printed;
    throw new LockstepError(
      isMissing ? 'TOOL_MISSING' : 'INTERNAL',
      `${program} ${words[0] ?? ''} failed: ${reason}`,
      { cause: error },
    );
  }
}
