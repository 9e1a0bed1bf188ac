import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';

/** A program of ours that is kept going beside this one. */
export interface CompanionOptions {
  readonly name: string;
  /** Path of the program's entry. */
  readonly entry: string;
  readonly args: readonly string[];
  /** File that gets what it prints. */
  readonly logFile: string;
  readonly logger: Logger;
  /** Its variables. Absent: those of this process. */
  readonly environment?: NodeJS.ProcessEnv;
}

const STOP_TIMEOUT_MS = 45_000;
const RESTART_PAUSE_MS = [200, 1000, 3000, 10_000];
const STABLE_AFTER_MS = 60_000;

/** How a companion ended unasked, again and again. */
export interface Trouble {
  /** Ends in a row, each soon after its start. */
  readonly ends: number;
  /** How it ended last, and the last that it wrote to stderr. */
  readonly reason: string;
}

const LAST_WORDS_CHARS = 1000;

/**
 * Keeps another program of ours going: started again when it ends unasked, with growing pauses.
 * The child has a pipe from this process as its stdin, so it knows when this process is gone,
 * whatever ended it.
 */
export class Companion {
  readonly #options: CompanionOptions;
  readonly #ended: Promise<void>;
  #child: ChildProcess | undefined;
  #isStopping = false;
  #trouble: Trouble | undefined;
  readonly #stopping = new AbortController();

  constructor(options: CompanionOptions) {
    this.#options = options;
    this.#ended = this.#keepGoing();
  }

  /** The process now, or `undefined` between two of them. */
  get processId(): number | undefined {
    return this.#child?.pid;
  }

  /** Absent while it goes well. */
  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  /** Asks it to end, and forces it after a deadline. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopping.abort();
    this.#child?.kill('SIGTERM');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  async #keepGoing(): Promise<void> {
    const { name, logger } = this.#options;
    for (let failures = 0; !this.#isStopping; failures += 1) {
      const startedAtMs = performance.now();
      const reason = await this.#runOnce();
      if (this.#stopping.signal.aborted) return;
      if (performance.now() - startedAtMs > STABLE_AFTER_MS) failures = 0;
      this.#trouble = { ends: failures + 1, reason };
      const pauseMs = RESTART_PAUSE_MS[Math.min(failures, RESTART_PAUSE_MS.length - 1)] ?? 1000;
      logger.warn({ name, reason, pauseMs }, 'it ended unasked: starting it again');
      await delay(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
  }

  async #runOnce(): Promise<string> {
    const { entry, args, logFile, environment = process.env } = this.#options;
    await mkdir(dirname(logFile), { recursive: true });
    const log = createWriteStream(logFile, { flags: 'a' });
    // A full disk must not end this process; what can't be logged is lost.
    log.on('error', () => undefined);
    const child = spawn(process.execPath, [entry, ...args, '--stdin-lifeline'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environment,
      // Ctrl-C in the terminal is for this process, which ends the others in good order.
      detached: true,
    });
    child.stdin.on('error', () => undefined);
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    let lastWords = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      lastWords = (lastWords + text).slice(-LAST_WORDS_CHARS);
    });
    this.#child = child;
    const reason = await new Promise<string>((resolve) => {
      child.once('error', (error) => {
        resolve(error.message);
      });
      child.once('close', (code, signal) => {
        const words = lastWords.trim().replaceAll(/\s*\n\s*/g, '; ');
        resolve(`${signal ?? `code ${code ?? '?'}`}${words === '' ? '' : `: ${words}`}`);
      });
    });
    this.#child = undefined;
    log.end();
    return reason;
  }
}
