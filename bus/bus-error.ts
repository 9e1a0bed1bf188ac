import { errors, headers } from 'nats';
import type { Msg, MsgHdrs } from 'nats';
import { z } from 'zod';
import { ERROR_CODES, errorMessageOf, LockstepError } from '../schemas/errors.ts';
import type { ErrorCode } from '../schemas/errors.ts';
import { decodeMessage, encodeMessage, protocolField } from '../schemas/protocol.ts';

/** The header in which a responder's error travels back to the requester. */
const ERROR_HEADER = 'Lockstep-Error';

const WireError = z.object({
  ...protocolField,
  code: z.string().max(64),
  message: z.string().max(4096),
  hint: z.string().max(1024).optional(),
});

/**
 * Maps what the client library threw to a {@link LockstepError} that says what failed on which
 * subject and what to do next. A LockstepError is returned as it is.
 */
export function busError(error: unknown, what: string): LockstepError {
  if (error instanceof LockstepError) return error;
  const causes = causesOf(error);
  const has = (kind: abstract new (...args: never[]) => Error) =>
    causes.some((cause) => cause instanceof kind);
  if (has(errors.PermissionViolationError)) {
    return wrap(error, 'BUS_DENIED', `the NATS server refused ${what}`, {
      hint: 'The credential of this process does not cover the subject; check its role and name.',
    });
  }
  if (has(errors.AuthorizationError) || has(errors.UserAuthenticationExpiredError)) {
    return wrap(error, 'BUS_DENIED', `the NATS server refused the credential for ${what}`, {
      hint: 'Check that the credential was issued for this server and has not expired.',
    });
  }
  if (has(errors.NoRespondersError)) return noResponders(error, what);
  if (has(errors.TimeoutError)) {
    return wrap(error, 'DEADLINE_EXCEEDED', `no answer within the deadline to ${what}`);
  }
  return wrap(error, 'BUS_UNAVAILABLE', `${what} failed`, {
    hint: 'Check that the NATS server runs and can be reached.',
  });
}

/** The error as the headers of a reply without a body. */
export function errorHeaders(error: unknown): MsgHdrs {
  const known = error instanceof LockstepError ? error : undefined;
  const wireError = encodeMessage(WireError, {
    code: known?.code ?? 'INTERNAL',
    message: errorMessageOf(error).slice(0, 2000),
    ...(known?.hint === undefined ? {} : { hint: known.hint.slice(0, 500) }),
  });
  const replyHeaders = headers();
  replyHeaders.set(ERROR_HEADER, JSON.stringify(wireError));
  return replyHeaders;
}

/** The error that a reply carries in its headers. Absent if it is an ordinary reply. */
export function errorOfReply(reply: Msg, from: string): LockstepError | undefined {
  const text = reply.headers?.get(ERROR_HEADER) ?? '';
  if (text === '') return undefined;
  try {
    const wireError = decodeMessage(WireError, JSON.parse(text), from);
    const code = Object.hasOwn(ERROR_CODES, wireError.code)
      ? (wireError.code as ErrorCode)
      : 'INTERNAL';
    return new LockstepError(
      code,
      wireError.message,
      wireError.hint === undefined ? {} : { hint: wireError.hint },
    );
  } catch (cause) {
    if (cause instanceof LockstepError) return cause;
    return new LockstepError('MESSAGE_INVALID', `unreadable error from ${from}`, { cause });
  }
}

function noResponders(error: unknown, what: string): LockstepError {
  if (what.includes('$JS') || what.includes('stream')) {
    return wrap(error, 'BUS_UNAVAILABLE', `JetStream does not answer to ${what}`, {
      hint: 'It may be starting or electing a leader; try again shortly.',
    });
  }
  return wrap(error, 'NOT_FOUND', `nobody answers to ${what}`, {
    hint: 'Check that the process which serves this subject runs and is connected.',
  });
}

function wrap(
  cause: unknown,
  code: ErrorCode,
  text: string,
  options: { hint?: string } = {},
): LockstepError {
  return new LockstepError(code, `${text}: ${errorMessageOf(cause)}`, { ...options, cause });
}

function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  let current = error;
  while (current !== undefined && causes.length < 8) {
    causes.push(current);
    current = current instanceof Error ? current.cause : undefined;
  }
  return causes;
}
