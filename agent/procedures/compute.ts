import { fibonacci, mistakeInNumber } from './answers.ts';
import { parametersOf } from './procedure.ts';
import type { Procedure } from './procedure.ts';
import { armRepeatedCalls } from './repeated-calls.ts';

/** Sizes of the study. */
const PRESETS = { fib: 1_000_000_000, fft: 1_048_576, matrix: 1024 } as const;

/** A sandbox that is ready is asked to compute. */
export const compute: Procedure = {
  kind: 'compute',
  arm: (context, cell) => {
    const { work, n: asked, calls, pauseMs } = parametersOf(context, 'compute');
    const n = asked ?? PRESETS[work];
    const expected = work === 'fib' ? fibonacci(n) : undefined;
    return armRepeatedCalls(context, cell.instances, {
      ...{ path: `/${work}?n=${n}`, calls, pauseMs, work },
      mistakeIn: (invocation) =>
        expected === undefined ? undefined : mistakeInNumber(invocation, expected),
    });
  },
};
