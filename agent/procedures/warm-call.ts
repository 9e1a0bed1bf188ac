import { armTogether } from './together.ts';
import type { Procedure } from './procedure.ts';

/**
 * Sandboxes are started, and once they are ready on every device of the trial, which is the
 * barrier `ready`, all functions are called at one instant.
 */
export const warmCall: Procedure = {
  kind: 'warm-call',
  arm: (context, cell) => armTogether(context, cell.instances, 'all-ready'),
};
