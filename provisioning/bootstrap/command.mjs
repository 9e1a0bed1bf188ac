import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { readIfThere } from './machine.mjs';
import { describeProcess, isAlive } from './process-identity.mjs';

const OUTPUT_LENGTH_MAX = 4 * 1024 * 1024;
const TAIL_LENGTH = 1200;

/** What ends the programs that run now. */
const interruptHandlers = new Set();
let isInterrupted = false;
let recordPath;

/**
 * Runs a program to its end, or ends it and all its children at the deadline.
 *
 * @param {string} program
 * @param {string[]} words
 * @param {{timeoutMs: number, folder?: string, environment?: Record<string, string | undefined>,
 *   endsOnInterrupt?: boolean}} options an interrupt of the set-up ends the program too, unless
 *   `endsOnInterrupt` is false.
 * @returns {Promise<{ok: boolean, stdout: string, reason: string}>} `reason` says why it failed,
 * with the end of what it printed.
 * @throws Error if the set-up was interrupted meanwhile.
 */
export function runCommand(program, words, options) {
  return new Promise((resolve, reject) => {
    if (isInterrupted) throw interruption();
    const child = spawn(program, words, {
      cwd: options.folder,
      env: options.environment ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const output = collectOutput(child);
    const forget = options.endsOnInterrupt === false ? () => {} : remember(child.pid);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      endGroup(child.pid, 'SIGKILL');
    }, options.timeoutMs);
    const finish = (ok, why) => {
      clearTimeout(timer);
      forget();
      const tail = (output.stderr.trim() || output.stdout.trim()).slice(-TAIL_LENGTH);
      const reason = ok ? '' : [`${program} ${words[0] ?? ''}: ${why}`, tail].join('\n').trim();
      if (isInterrupted) reject(interruption());
      else resolve({ ok, stdout: output.stdout, reason });
    };
    child.on('error', (error) => finish(false, error.message));
    child.on('close', (code, signal) => {
      if (isLate) finish(false, `not done after ${options.timeoutMs / 1000} s`);
      else finish(code === 0, `exit ${code ?? signal}`);
    });
  });
}

/** Ends the programs that run now, and lets no more begin: the set-up's own cleanup comes next. */
export function interrupt() {
  isInterrupted = true;
  for (const handler of [...interruptHandlers]) handler();
}

/**
 * Keeps on disk which program runs now. A set-up that is killed cannot end it, so the next one
 * does, before both do the same work at once.
 */
export function recordPrograms(path) {
  recordPath = path;
  const orphan = parseRecord(readIfThere(path));
  if (orphan !== undefined && isAlive(orphan)) endGroup(orphan.pid, 'SIGKILL');
  rmSync(path, { force: true });
}

function remember(pid) {
  const end = () => endGroup(pid, 'SIGTERM');
  interruptHandlers.add(end);
  if (recordPath !== undefined && pid !== undefined) {
    writeFileSync(recordPath, JSON.stringify(describeProcess(pid)));
  }
  return () => {
    interruptHandlers.delete(end);
    if (recordPath !== undefined) rmSync(recordPath, { force: true });
  };
}

function collectOutput(child) {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] = (output[name] + text).slice(-OUTPUT_LENGTH_MAX);
    });
  }
  return output;
}

function parseRecord(text) {
  try {
    const record = JSON.parse(text ?? '');
    return typeof record.pid === 'number' ? record : undefined;
  } catch {
    return undefined;
  }
}

function interruption() {
  return new Error('the set-up was interrupted');
}

function endGroup(pid, signal) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}
