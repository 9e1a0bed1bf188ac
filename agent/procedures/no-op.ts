import type { Procedure } from './procedure.ts';

/** Nothing but the start itself: how well a fleet starts together, and what a trial costs. */
export const noOp: Procedure = {
  kind: 'no-op',
  arm: () =>
    Promise.resolve({
      targets: [],
      start: () => Promise.resolve({ instances: [], leftovers: [], finals: [] }),
      standDown: () => Promise.resolve([]),
    }),
};
