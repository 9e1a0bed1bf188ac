import { mistakeInNumber } from './answers.ts';
import { parametersOf } from './procedure.ts';
import type { Procedure } from './procedure.ts';
import { armRepeatedCalls } from './repeated-calls.ts';

/** A sandbox that is ready is asked to unpack one of its files. */
export const unzip: Procedure = {
  kind: 'unzip',
  arm: (context, cell) => {
    const { archive, calls, pauseMs } = parametersOf(context, 'unzip');
    const path = `/unzip?archive=${archive}`;
    return armRepeatedCalls(context, cell.instances, {
      ...{ path, calls, pauseMs, work: archive },
      // The function answers how many bytes it has unpacked.
      mistakeIn: (invocation) => mistakeInNumber(invocation),
    });
  },
};
