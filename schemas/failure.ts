import { z } from 'zod';
import { ERROR_CODES, LockstepError, errorCodeOf, errorMessageOf } from './errors.ts';
import type { ErrorCode } from './errors.ts';

const errorCodes = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];

/** A failure as data: on the wire, in a result and in a run's record. */
export const Failure = z
  .object({
    // A newer peer may send a code that this release does not know; the message still tells.
    code: z.enum(errorCodes).catch('INTERNAL').meta({ description: 'One of ERROR_CODES.' }),
    message: z.string().max(4096).meta({ description: 'What failed, with which value.' }),
    hint: z
      .string()
      .max(4096)
      .optional()
      .meta({ description: 'What to do next. Absent if there is nothing to advise.' }),
  })
  .meta({ description: 'A failure: code, message, hint.' });
export type Failure = z.output<typeof Failure>;

/** Turns any thrown value into a {@link Failure}. */
export function toFailure(error: unknown): Failure {
  const failure: Failure = {
    code: errorCodeOf(error),
    message: errorMessageOf(error).slice(0, 4096),
  };
  if (error instanceof LockstepError && error.hint !== undefined) failure.hint = error.hint;
  return failure;
}

/** Turns a {@link Failure} from elsewhere into an error that can be thrown here. */
export function fromFailure(failure: Failure): LockstepError {
  return new LockstepError(
    failure.code,
    failure.message,
    failure.hint === undefined ? {} : { hint: failure.hint },
  );
}
