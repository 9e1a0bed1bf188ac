/**
 * Every failure that a user or another process can see has one of these codes. The text says what
 * the code means.
 */
export const ERROR_CODES = {
  AGENT_BUSY: 'The device already serves a run.',
  ARCHIVE_DAMAGED: 'An archive of a run is damaged, or not what its list of files says.',
  ARCHIVE_UNSUPPORTED: 'A file is no archive of a run, or of a format not read here.',
  ARTEFACT_CORRUPT: 'The content of an artefact does not match its digest.',
  ARTEFACT_MISSING: 'An artefact that the run needs is not in the store.',
  BUS_UNAVAILABLE: 'The NATS server could not be reached within the deadline.',
  BUS_DENIED: 'The NATS server refused the credential or the subject.',
  CANCELLED: 'The run was cancelled before this was done.',
  BARRIER_BROKEN: 'A barrier can not be passed, because a device will not reach it.',
  CLOCK_CHANGED: 'Fleet time is another clock than the one that was measured.',
  CLOCK_STEPPED: 'A clock was stepped, or the machine was suspended.',
  CLOCK_UNSYNCHRONISED: 'The offset to fleet time is unknown or its bound is over the budget.',
  COORDINATOR_STOPPED: 'The coordinator stopped while the run was going.',
  DEVICE_DECLINED: 'A device declined to prepare or to arm, with its own reason.',
  DEVICE_PROBING: 'A device still finds out which kinds of sandbox work on it.',
  DEVICE_LOST: 'The device stopped answering during the trial.',
  DEADLINE_EXCEEDED: 'A step did not end within its deadline.',
  ENDPOINTS_INVALID: 'A list of OTLP endpoints, or an OTEL_* variable, has mistakes.',
  EXPERIMENT_INVALID: 'The experiment file has mistakes.',
  FUNCTION_CRASHED: 'The function ended before it answered.',
  FUNCTION_NOT_READY: 'The function did not signal ready within its deadline.',
  FUNCTION_ANSWERED_WRONG: 'The function answered with another status than 200.',
  GANG_INCOMPLETE: 'The trial was stood down because not every device could be armed.',
  IMAGE_INVALID: 'The sandbox refused the image or the command in it.',
  IMPORT_INVALID: 'The file to import has mistakes, or is of no known kind.',
  INTERNAL: 'A bug in Lockstep.',
  MESSAGE_INVALID: 'A message does not have the shape that its subject promises.',
  NO_DEVICE: 'No device matches what the experiment selects.',
  NO_CELL: 'No combination of the factors can be measured on the selected devices.',
  NOT_FOUND: 'The thing that was named does not exist.',
  PARQUET_DAMAGED: 'A Parquet file of a run is damaged.',
  PARQUET_STALE: 'The Parquet files of a run were made of other results than it has.',
  PERMISSION_MISSING: 'The process lacks a right of the operating system that this needs.',
  PORT_IN_USE: 'Another process listens on the port.',
  PROTOCOL_UNSUPPORTED: 'The peer speaks a protocol version that this release does not know.',
  QUERY_INVALID: 'A query is wrong, or does what a query may not do.',
  RUN_DAMAGED: 'The folder of a run is damaged, or is not what it says that it is.',
  RUN_EXISTS: 'There is another run of this id already.',
  RUN_NOT_ENDED: 'The run still goes on, and this needs its end.',
  RUNNER_LOST: 'The measuring process ended during the trial.',
  SAMPLER_LOST: 'The sampling process ended during the trial.',
  SANDBOX_FAILED: 'The sandbox runtime reported an error.',
  SANDBOX_LEFTOVER: 'Something of a sandbox remained after it was removed.',
  SANDBOX_UNAVAILABLE: 'The device cannot run this kind of sandbox.',
  START_LATE: 'The go message arrived after the instant it names.',
  STORAGE_FULL: 'The disk that must keep the data is full.',
  STORAGE_FAILED: 'The disk that must keep the data reported an error.',
  TOOL_MISSING: 'A program that this needs is not installed.',
  USAGE: 'The command line is wrong.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** What accompanies the message of a {@link LockstepError}. */
export interface LockstepErrorOptions {
  /** The error that caused this one. */
  cause?: unknown;
  /** What the reader can do next, as a sentence. */
  hint?: string;
}

/**
 * An expected failure: its code says which kind, its message what failed with which value, and its
 * hint what to do next. Programmer errors are plain `Error`s and assertions instead.
 */
export class LockstepError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: LockstepErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'LockstepError';
    this.code = code;
    this.hint = options.hint;
  }
}

/** The code of any thrown value: its own if it has one, else `INTERNAL`. */
export function errorCodeOf(error: unknown): ErrorCode {
  return error instanceof LockstepError ? error.code : 'INTERNAL';
}

/** The message of any thrown value, in one line. */
export function errorMessageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s*\n\s*/g, ' ').trim();
}
