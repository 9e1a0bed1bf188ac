import { fileURLToPath } from 'node:url';
import type { ErrorCode } from '../../schemas/errors.ts';
import type { Failure } from '../../schemas/failure.ts';
import type { SandboxName } from '../../schemas/sandbox.ts';
import type { ContractCheck } from '../../schemas/selftest.ts';
import { checksFor } from './checks.ts';
import type { Place } from './place.ts';
import { runOnStage } from './stage-process.ts';

/** Title of the first check: the driver finds its runtime. */
export const DETECT = 'detect';

/** Title of the last check. */
export const NOTHING_LEFT = 'leaves nothing behind';

/** A line about a check: that it begins, or how it ended. */
export interface CheckReport {
  readonly title: string;
  /** Absent: it begins. */
  readonly ok?: boolean;
  readonly ms?: number;
  readonly message?: string;
  readonly details?: Record<string, string>;
  readonly failure?: Failure;
}

/** How the contract of one kind of sandbox is tried. */
export interface ContractOptions {
  readonly signal?: AbortSignal;
  /** Told the title of each check that begins. */
  readonly onBegin?: (title: string) => void;
  /** Told what is printed as errors. */
  readonly log: (text: string) => void;
  /** Longest that one check may take, ms. */
  readonly checkTimeoutMs?: number;
  /** The program that tries it, if it is another one than that of the release. */
  readonly program?: string;
}

/** What became of it. */
export interface ContractOutcome {
  /** What the driver said of its runtime. */
  readonly details: Record<string, string>;
  /** Why the kind can't work here. Absent if it was tried. */
  readonly unavailable?: Failure;
  readonly checks: readonly ContractCheck[];
}

/** The slowest check waits twice for a function, 45 s each time. */
const CHECK_TIMEOUT_MS = 150_000;

const MESSAGE_MAX = 4096;
const SAID_MAX = 1000;

/** What says that something is missing here, and not that the driver is wrong. */
const UNAVAILABLE: readonly ErrorCode[] = [
  'SANDBOX_UNAVAILABLE',
  'TOOL_MISSING',
  'PERMISSION_MISSING',
];

/** What is checked of a kind of sandbox, in order. */
export function checkTitles(sandbox: SandboxName): string[] {
  return [DETECT, ...Object.keys(checksFor(sandbox)), NOTHING_LEFT];
}

/**
 * Tries whether the driver of a kind of sandbox keeps the contract. Everything runs in one process
 * inside the runner's namespaces, which is started with another scheduling class, a nice value, one
 * processor and odd limits, so that nothing of these may be found in a sandbox. A check that hangs
 * is cut off, fails, and ends the suite.
 */
export async function tryContract(
  sandbox: SandboxName,
  place: Place,
  options: ContractOptions,
): Promise<ContractOutcome> {
  const titles = checkTitles(sandbox);
  const checkTimeoutMs = options.checkTimeoutMs ?? CHECK_TIMEOUT_MS;
  let said = '';
  const { reports, skipped, isCutOff } = await runOnStage<CheckReport>(sandbox, place, {
    program: options.program ?? fileURLToPath(new URL('inside.ts', import.meta.url)),
    timeoutMs: titles.length * checkTimeoutMs,
    silenceMs: checkTimeoutMs,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    onReport: ({ title, ok }) => {
      if (ok === undefined) options.onBegin?.(title);
    },
    log: (text) => {
      said = `${said}\n${text}`.slice(-SAID_MAX);
      options.log(text);
    },
  });
  const ended = new Map(
    reports.filter(({ ok }) => ok !== undefined).map((one) => [one.title, one]),
  );
  const detected = ended.get(DETECT);
  const { details = {} } = detected ?? {};
  const unavailable = skipped ?? whyUnavailable(detected?.failure);
  if (unavailable !== undefined) return { details, unavailable, checks: [] };
  const interrupted = reports.at(-1);
  const why =
    isCutOff === true
      ? `it was cut off: it did not end within ${checkTimeoutMs / 1000} s`
      : `the process that checks ended in the middle; it said: ${said.trim()}`;
  const begun = interrupted === undefined ? DETECT : openTitle(interrupted, titles, ended);
  const checks = titles.map((title): ContractCheck => {
    const report = ended.get(title);
    if (report !== undefined) return toCheck(report);
    if (title !== begun) return { title, result: 'not-run', durationMs: 0 };
    const durationMs = isCutOff === true ? checkTimeoutMs : 0;
    return { title, result: 'fail', durationMs, message: why.slice(0, MESSAGE_MAX) };
  });
  return { details, checks };
}

/** The check that was not brought to its end; undefined if none was to come. */
function openTitle(
  last: CheckReport,
  titles: readonly string[],
  ended: ReadonlyMap<string, CheckReport>,
): string | undefined {
  if (last.ok === undefined) return last.title;
  if (last.title === DETECT && !last.ok) return undefined;
  return titles.find((title) => !ended.has(title));
}

function toCheck({ title, ok, ms = 0, message, failure }: CheckReport): ContractCheck {
  const text = message ?? failure?.message;
  return {
    ...{ title, result: ok === true ? 'pass' : 'fail', durationMs: ms },
    ...(text === undefined ? {} : { message: text.slice(0, MESSAGE_MAX) }),
  };
}

function whyUnavailable(failure: Failure | undefined): Failure | undefined {
  return failure !== undefined && UNAVAILABLE.includes(failure.code) ? failure : undefined;
}
