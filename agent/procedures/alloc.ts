import { mistakeInNumber } from './answers.ts';
import { parametersOf } from './procedure.ts';
import type { Procedure } from './procedure.ts';
import { armRepeatedCalls } from './repeated-calls.ts';

/** The function writes one byte of each 4096 and answers how many that were. */
const PAGES_PER_MIB = 256n;

/** A sandbox that is ready is asked to touch memory. */
export const alloc: Procedure = {
  kind: 'alloc',
  arm: (context, cell) => {
    const { mib, calls, pauseMs } = parametersOf(context, 'alloc');
    const pages = BigInt(mib) * PAGES_PER_MIB;
    return armRepeatedCalls(context, cell.instances, {
      ...{ path: `/alloc?mib=${mib}`, calls, pauseMs },
      mistakeIn: (invocation) => mistakeInNumber(invocation, pages),
    });
  },
};
