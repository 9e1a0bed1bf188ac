import { armLoads } from './load-trial.ts';
import { parametersOf } from './procedure.ts';
import type { Procedure } from './procedure.ts';

/** Requests at instants that are fixed beforehand, at one rate after the other. */
export const openLoop: Procedure = {
  kind: 'open-loop',
  arm: (context, cell) => {
    const { path, ratesPerSecond, arrivals, connectionsMax, durationMs } = parametersOf(
      context,
      'open-loop',
    );
    return armLoads(context, cell, {
      path,
      stopAtFailure: false,
      loads: ratesPerSecond.map((ratePerSecond, index) => ({
        label: 'rate',
        value: ratePerSecond,
        load: {
          mode: 'open',
          ratePerSecond,
          arrivals,
          // Each rate has random gaps of its own.
          seed: context.seed + index,
          connectionsMax,
          durationMs,
        },
      })),
    });
  },
};
