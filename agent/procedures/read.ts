import { mistakeInNumber, storedArchiveBytes } from './answers.ts';
import { parametersOf } from './procedure.ts';
import type { Procedure } from './procedure.ts';
import { armRepeatedCalls } from './repeated-calls.ts';

/** A sandbox that is ready is asked to read a whole file. */
export const read: Procedure = {
  kind: 'read',
  arm: (context, cell) => {
    const { calls, pauseMs } = parametersOf(context, 'read');
    const expected = storedArchiveBytes(context.functionRoot);
    return armRepeatedCalls(context, cell.instances, {
      ...{ path: '/read', calls, pauseMs },
      mistakeIn: (invocation) => mistakeInNumber(invocation, expected),
    });
  },
};
