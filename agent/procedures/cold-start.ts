import { noteUnlessCold } from './unless-cold.ts';
import { armTogether } from './together.ts';
import type { Procedure } from './procedure.ts';

/** One sandbox from nothing to its first response. */
export const coldStart: Procedure = {
  kind: 'cold-start',
  arm: (context) => armTogether(context, 1, 'own-ready', { conclude: noteUnlessCold }),
};
