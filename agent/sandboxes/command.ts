import { spawn } from 'node:child_process';
import { LockstepError } from '../../schemas/errors.ts';

/** How {@link runCommand} runs a program. */
export interface CommandOptions {
  /** The program is killed after this time. Default 10 s. */
  readonly timeoutMs?: number;
  /** Text for its standard input. Absent: empty. */
  readonly input?: string;
}

/** What a program printed, each at most 1 MiB. */
export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_BYTES_MAX = 1024 * 1024;
const TIMEOUT_MS = 10_000;

/** The environment of every program that the drivers start; nothing of the agent's gets through. */
export const neutralEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/',
  LANG: 'C.UTF-8',
} as const;

/**
 * Runs a program to its end, without a shell.
 *
 * @throws LockstepError TOOL_MISSING if it is not installed, DEADLINE_EXCEEDED if it was killed,
 * SANDBOX_FAILED with the end of its error output if it failed.
 */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandOutput> {
  const [program = '', ...rest] = argv;
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const child = spawn(program, rest, { env: neutralEnvironment, stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8');
    child[name].on('data', (text: string) => {
      if (output[name].length < OUTPUT_BYTES_MAX) output[name] += text;
    });
  }
  // A program that ends without reading its input is no failure of ours.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
    // What it started may hold the pipes open for ever.
    child.stdout.destroy();
    child.stderr.destroy();
  }, timeoutMs);
  try {
    await ended(child, program, () => {
      if (timedOut) {
        throw new LockstepError(
          'DEADLINE_EXCEEDED',
          `${argv.join(' ').slice(0, 300)} did not end within ${timeoutMs} ms`,
        );
      }
      return `${argv.join(' ').slice(0, 300)}: ${output.stderr.trim().slice(-1000)}`;
    });
    return output;
  } finally {
    clearTimeout(timer);
  }
}

async function ended(
  child: ReturnType<typeof spawn>,
  program: string,
  describe: () => string,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    code: number | null;
    signal: NodeJS.Signals | null;
  }>();
  child.once('error', reject);
  child.once('close', (code, signal) => {
    resolve({ code, signal });
  });
  let status;
  try {
    status = await promise;
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', `${program} could not be started`, {
      cause,
      hint: `install ${program} or put it on PATH`,
    });
  }
  const text = describe();
  if (status.code === 0) return;
  throw new LockstepError(
    'SANDBOX_FAILED',
    `${text} (${status.signal ?? `exit code ${String(status.code)}`})`,
  );
}
