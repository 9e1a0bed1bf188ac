/**
 * What `npm test` runs: all tests, or those that its arguments name, as the test runner takes them
 * (files, folders, --match TITLE, --config FILE). `--deadline-minutes N` ends it later than
 * usual. Failures and skipped tests are told as they happen, the whole
 * output goes into a log file, and the last line has the counts.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { TapReader } from './tap-reader.ts';
import { TestReport } from './test-report.ts';

const DEADLINE_MINUTES = 10;
const KILL_AFTER_MS = 10_000;
const STILL_RUNNING_EVERY_MS = 30_000;
const STDERR_TAIL_LINES = 40;

const root = join(import.meta.dirname, '../..');
const logFolder = join(root, '.lockstep/test');
mkdirSync(logFolder, { recursive: true });

const [first, minutes = '', ...others] = process.argv.slice(2);
const hasDeadline = first === '--deadline-minutes';
const deadlineMinutes = hasDeadline ? Number(minutes) : DEADLINE_MINUTES;
const words = hasDeadline ? others : process.argv.slice(2);

const logPath = join(logFolder, 'last.tap.log');
const log = createWriteStream(logPath);

const ava = spawn(
  process.execPath,
  [join(root, 'node_modules/ava/entrypoints/cli.js'), '--tap', ...words],
  {
    cwd: root,
    // Hundreds of processes start; each compiles the same files otherwise.
    env: { NODE_COMPILE_CACHE: join(logFolder, 'compiled'), ...process.env },
    // A group of its own, so that ending it ends the processes of all test files.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  },
);

const report = new TestReport();
let testsTold = 0;
const reader = new TapReader((test) => {
  testsTold += 1;
  for (const line of report.add(test)) console.log(line);
});
createInterface({ input: ava.stdout }).on('line', (line) => {
  log.write(`${line}\n`);
  reader.push(line);
});
const stderrTail: string[] = [];
createInterface({ input: ava.stderr }).on('line', (line) => {
  log.write(`# stderr: ${line}\n`);
  stderrTail.push(line);
  if (stderrTail.length > STDERR_TAIL_LINES) stderrTail.shift();
});

const stillRunning = setInterval(() => {
  console.log(`... ${testsTold} tests so far`);
}, STILL_RUNNING_EVERY_MS);
const deadline = setTimeout(() => {
  endEarly(`The tests did not end within ${deadlineMinutes} minutes.`, 1);
}, deadlineMinutes * 60_000);
process.on('SIGINT', () => {
  endEarly('Interrupted.', 130);
});
process.on('SIGTERM', () => {
  endEarly('Told to end.', 143);
});

let earlyExitCode: number | undefined;
ava.on('error', (error) => {
  console.error(`The test runner could not be started: ${error.message}`);
});
ava.on('close', (exitCode) => {
  clearInterval(stillRunning);
  clearTimeout(deadline);
  reader.end();
  if (!reader.isComplete) for (const line of stderrTail) console.error(line);
  const { lines, isGood } = report.finish({ exitCode, isComplete: reader.isComplete });
  console.log(`Full output: ${relative(process.cwd(), logPath)}`);
  log.end(() => {
    for (const line of lines) console.log(line);
    process.exitCode = earlyExitCode ?? (isGood ? 0 : (exitCode ?? 1) || 1);
  });
});

/** Ends the test runner and its children: politely first, so that tests can clean up. */
function endEarly(reason: string, exitCode: number): void {
  const isSecond = earlyExitCode !== undefined;
  earlyExitCode ??= exitCode;
  console.error(reason);
  signalGroup(isSecond ? 'SIGKILL' : 'SIGTERM');
  setTimeout(() => {
    signalGroup('SIGKILL');
  }, KILL_AFTER_MS).unref();
}

function signalGroup(signal: NodeJS.Signals): void {
  if (ava.pid === undefined) return;
  try {
    process.kill(-ava.pid, signal);
  } catch {
    // The group is gone already.
  }
}
