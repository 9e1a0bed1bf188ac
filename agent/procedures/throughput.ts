import { armLoads } from './load-trial.ts';
import { parametersOf } from './procedure.ts';
import type { Procedure } from './procedure.ts';

/** As many requests as go over more and more connections, until some fail. */
export const throughput: Procedure = {
  kind: 'throughput',
  arm: (context, cell) => {
    const { path, connections, requests, durationMs, stopAtFailure } = parametersOf(
      context,
      'throughput',
    );
    return armLoads(context, cell, {
      path,
      stopAtFailure,
      loads: connections
        .toSorted((a, b) => a - b)
        .map((count) => ({
          label: 'connections',
          value: count,
          load: {
            mode: 'closed',
            connections: count,
            durationMs,
            ...(requests === undefined ? {} : { requests }),
          },
        })),
    });
  },
};
