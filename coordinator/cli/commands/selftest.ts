import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { LockstepError, errorMessageOf } from '../../../schemas/errors.ts';
import { SandboxName } from '../../../schemas/sandbox.ts';
import { SelftestEvent } from '../../../schemas/selftest.ts';
import type { SelftestReport } from '../../../schemas/selftest.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { CHECKOUT_FOLDER } from '../home.ts';
import type { Output } from '../output.ts';
import { partText, progressText, selftestText } from '../selftest-text.ts';
import type { Session, Work } from '../session.ts';

/** Options of `lockstep selftest`. */
export interface SelftestOptions {
  /** Names, separated by commas, or `all`. */
  readonly sandboxes: string;
  /** Time for the trials in all kinds together. */
  readonly seconds: number;
  readonly json?: boolean;
  /** File for the report as JSON. */
  readonly out?: string;
}

const RESULT_CODES: Record<SelftestReport['result'], number> = {
  pass: EXIT_CODES.ok,
  fail: EXIT_CODES.runFailed,
  unavailable: EXIT_CODES.failed,
};

/** The exit code that a report comes to. */
export function selftestExitCode({ result }: Pick<SelftestReport, 'result'>): number {
  return RESULT_CODES[result];
}

/**
 * Tests the kinds of sandbox of this machine in a process of its own: whether their drivers keep
 * the contract, and how long trials in them take. Needs neither coordinator nor server.
 */
export function selftest(options: SelftestOptions): Work {
  return async (session) => {
    const report = await runTesting(options, session);
    if (report === undefined) {
      return session.signal.aborted ? EXIT_CODES.interrupted : EXIT_CODES.failed;
    }
    const json = JSON.stringify(report, null, 2);
    if (options.out !== undefined) await writeReport(options.out, json);
    session.output.result(options.json === true ? json : selftestText(report));
    return selftestExitCode(report);
  };
}

/** Runs the testing process to its end; undefined if it ended without a report. */
async function runTesting(
  options: SelftestOptions,
  { home, output, signal }: Session,
): Promise<SelftestReport | undefined> {
  const names = options.sandboxes === 'all' ? SandboxName.options : options.sandboxes.split(',');
  const words = [
    ...['--cache', home.cacheFolder, '--seconds', String(options.seconds)],
    ...['--sandboxes', [...new Set(names)].join(',')],
  ];
  const entry = join(CHECKOUT_FOLDER, 'agent/selftest/main.ts');
  const child = spawn(process.execPath, [entry, ...words], {
    // It ends when its stdin does, whatever ends this process.
    stdio: ['pipe', 'pipe', 'inherit'],
    // Ctrl-C in the terminal is for this process, which ends the other in good order.
    detached: true,
  });
  child.stdin.on('error', () => undefined);
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      resolve();
    });
  });
  const stop = (): void => {
    child.kill('SIGTERM');
  };
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  const report = await readEvents(child.stdout, output);
  await ended;
  return report;
}

async function readEvents(stdout: Readable, output: Output): Promise<SelftestReport | undefined> {
  let report: SelftestReport | undefined;
  for await (const line of createInterface({ input: stdout })) {
    const event = SelftestEvent.parse(JSON.parse(line));
    if (event.event === 'progress') output.live(progressText(event));
    else if (event.event === 'part') output.say(partText(event));
    else report = event.report;
  }
  return report;
}

async function writeReport(path: string, json: string): Promise<void> {
  try {
    await writeFile(path, `${json}\n`);
  } catch (cause) {
    throw new LockstepError('STORAGE_FAILED', `${path}: ${errorMessageOf(cause)}`, { cause });
  }
}
