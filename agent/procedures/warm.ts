import { parametersOf } from './procedure.ts';
import type { Procedure } from './procedure.ts';
import { armRepeatedCalls } from './repeated-calls.ts';

/** A sandbox that is ready is called again and again. */
export const warm: Procedure = {
  kind: 'warm',
  arm: (context, cell) => {
    const { path, calls, pauseMs } = parametersOf(context, 'warm');
    return armRepeatedCalls(context, cell.instances, { path, calls, pauseMs });
  },
};
