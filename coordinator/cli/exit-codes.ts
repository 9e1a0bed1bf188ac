import type { ErrorCode } from '../../schemas/errors.ts';

/** Exit codes of the command line; the README has the same table. */
export const EXIT_CODES = {
  /** Done. */
  ok: 0,
  /** Something failed that no other code names. */
  failed: 1,
  /** Wrong command line, experiment file, file to import, or settings of endpoints. */
  usage: 2,
  /** The coordinator, the NATS server or an OTLP endpoint could not be reached, or refused. */
  unreachable: 4,
  /** The run ended, but not as completed; a kind of sandbox failed its test. */
  runFailed: 5,
  /** A cell has become slower than in the baseline, by more than the margin, or fails more. */
  regression: 6,
  /** No cell has, but for some it can't be said. */
  undecided: 7,
  /** A bug in Lockstep. */
  bug: 70,
  /** Ended by Ctrl-C: 128 + SIGINT. */
  interrupted: 130,
} as const;

const CODES: Partial<Record<ErrorCode, number>> = {
  USAGE: EXIT_CODES.usage,
  ENDPOINTS_INVALID: EXIT_CODES.usage,
  EXPERIMENT_INVALID: EXIT_CODES.usage,
  QUERY_INVALID: EXIT_CODES.usage,
  IMPORT_INVALID: EXIT_CODES.usage,
  BUS_UNAVAILABLE: EXIT_CODES.unreachable,
  BUS_DENIED: EXIT_CODES.unreachable,
  INTERNAL: EXIT_CODES.bug,
};

/** The exit code for a failure. */
export function exitCodeOf(code: ErrorCode): number {
  return CODES[code] ?? EXIT_CODES.failed;
}
