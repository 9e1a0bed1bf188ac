import { noteUnlessCold } from './unless-cold.ts';
import { armTogether } from './together.ts';
import type { Procedure } from './procedure.ts';

/** As many sandboxes as the cell says, all from nothing at the same instant. */
export const burst: Procedure = {
  kind: 'burst',
  arm: (context, cell) =>
    armTogether(context, cell.instances, 'own-ready', { conclude: noteUnlessCold }),
};
