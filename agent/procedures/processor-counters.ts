import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import { neutralEnvironment, runCommand } from '../sandboxes/command.ts';

/** What is counted of the processor. */
export const PROCESSOR_EVENTS = ['instructions', 'cycles'] as const;

/** One count of `perf stat`. */
export interface CounterReading {
  readonly event: string;
  /** Number of the interval, from 1. Absent if it was not counted by intervals. */
  readonly interval?: number;
  readonly value: number;
}

/** What to count. */
export interface CounterPlan {
  readonly processIds: readonly number[];
  readonly events: readonly string[];
  /** Absent: one count from the beginning to the end. */
  readonly intervalMs?: number;
}

const TRY_TIMEOUT_MS = 5000;
const STEP_TIMEOUT_MS = 5000;
const OUTPUT_MAX = 1024 * 1024;

let reasonKnown: Promise<string | undefined> | undefined;

/**
 * Finds out once, by counting a program that does nothing, whether this machine counts
 * instructions and cycles. Returns why not, or undefined.
 */
export function whyNoCounters(): Promise<string | undefined> {
  reasonKnown ??= tryCounters(PROCESSOR_EVENTS);
  return reasonKnown;
}

/** See {@link whyNoCounters}. Exported for events that every kernel counts. */
export async function tryCounters(events: readonly string[]): Promise<string | undefined> {
  try {
    const words = ['perf', 'stat', '-x', ',', '-e', events.join(','), '--', 'true'];
    const { stderr } = await runCommand(words, { timeoutMs: TRY_TIMEOUT_MS });
    const counted = parseCounters(stderr).map(({ event }) => event);
    const missing = events.filter((event) => !counted.includes(event));
    if (missing.length === 0) return undefined;
    return `perf stat counts no ${missing.join(' and no ')} on this machine`;
  } catch (error) {
    return errorMessageOf(error);
  }
}

/**
 * Counts what the processor does for some processes and all that they start: `perf stat -p`, which
 * is told by a descriptor when to begin. Source: perf-stat(1), since Linux 5.10.
 */
export class ProcessorCounters {
  readonly #child: ChildProcess;
  readonly #intervals: boolean;
  readonly #events: readonly string[];
  readonly #ended = Promise.withResolvers<undefined>();
  #output = '';

  private constructor(plan: CounterPlan) {
    const { events, intervalMs, processIds } = plan;
    this.#events = events;
    this.#intervals = intervalMs !== undefined;
    this.#child = spawn(
      'perf',
      [
        ...['stat', '-x', ',', '-e', events.join(',')],
        ...(intervalMs === undefined ? [] : ['-I', String(intervalMs)]),
        ...['--delay=-1', '--control=fd:3,4', '-p', processIds.join(',')],
      ],
      { env: neutralEnvironment, stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
    );
    (this.#child.stderr as Readable).setEncoding('utf8').on('data', (text: string) => {
      if (this.#output.length < OUTPUT_MAX) this.#output += text;
    });
    this.#child.once('error', (error) => {
      this.#output = error.message;
      this.#ended.resolve(undefined);
    });
    this.#child.once('close', () => {
      this.#ended.resolve(undefined);
    });
    this.#control().on('error', () => undefined);
  }

  /**
   * Begins to count.
   *
   * @throws LockstepError TOOL_MISSING if perf does not count these processes.
   */
  static async begin(plan: CounterPlan): Promise<ProcessorCounters> {
    const counters = new ProcessorCounters(plan);
    const begun = Promise.withResolvers<boolean>();
    const answers = counters.#child.stdio[4] as Readable;
    answers.on('error', () => undefined);
    answers.once('data', () => {
      begun.resolve(true);
    });
    const timer = setTimeout(begun.resolve, STEP_TIMEOUT_MS, false);
    counters.#control().write('enable\n');
    try {
      if (await Promise.race([begun.promise, counters.#ended.promise])) return counters;
    } finally {
      clearTimeout(timer);
    }
    await counters.stop();
    throw new LockstepError(
      'TOOL_MISSING',
      `perf did not begin to count: ${counters.#output.trim().slice(-300)}`,
      { hint: 'apt-get install linux-perf, and run the agent as root' },
    );
  }

  /** Ends and returns what was counted. Empty if nothing was. */
  async end(): Promise<CounterReading[]> {
    this.#child.kill('SIGINT');
    const timer = setTimeout(() => {
      this.#child.kill('SIGKILL');
    }, STEP_TIMEOUT_MS);
    await this.#ended.promise;
    clearTimeout(timer);
    return parseCounters(this.#output, this.#intervals).filter(({ event }) =>
      this.#events.includes(event),
    );
  }

  /** Ends at once; safe to call at any time. */
  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended.promise;
  }

  #control(): Writable {
    return this.#child.stdio[3] as Writable;
  }
}

/**
 * Parses what `perf stat -x ,` prints: value, unit, event, run time, share of the time that it was
 * counted. With intervals, the time of each comes first. Counts of several kinds of core are added.
 */
export function parseCounters(text: string, hasIntervals = false): CounterReading[] {
  const readings: CounterReading[] = [];
  let interval = 0;
  let timeBefore = '';
  for (const line of text.split('\n')) {
    const fields = line.split(',').map((field) => field.trim());
    const time = hasIntervals ? (fields.shift() ?? '') : '';
    const [count = '', , name = '', , share = ''] = fields;
    if (name === '') continue;
    if (hasIntervals && time !== timeBefore) {
      interval += 1;
      timeBefore = time;
    }
    const value = parseCount(count, share);
    if (value === undefined) continue;
    const event = eventOf(name);
    const place = hasIntervals ? { interval } : {};
    const same = readings.findIndex(
      (one) => one.event === event && one.interval === place.interval,
    );
    const sum = (readings[same]?.value ?? 0) + value;
    readings.splice(same === -1 ? readings.length : same, 1, { event, ...place, value: sum });
  }
  return readings;
}

// What was never on a processor is "not counted" during 100 % of its time: that is no instruction.
function parseCount(count: string, share: string): number | undefined {
  if (count === '<not counted>' && share === '100.00') return 0;
  return /^\d+(?:\.\d+)?$/.test(count) ? Number(count) : undefined;
}

// instructions:u where the kernel is not counted, cpu_core/instructions/ on mixed processors.
function eventOf(name: string): string {
  return (/^[^/]+\/([^/]+)\/\w*$/.exec(name)?.[1] ?? name).replace(/:\w+$/, '');
}

/** Ids of the processes that wait at a gate in the pid namespace of this process. */
export function findGateProcesses(): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0');
      return words.includes('lockstep-gate') ? [Number(name)] : [];
    } catch {
      // It ended while the folder was read.
      return [];
    }
  });
}
