import { burst } from './burst.ts';
import { coldStart } from './cold-start.ts';
import type { Procedure } from './procedure.ts';

/** Every procedure by its kind. */
export const procedures: Record<Procedure['kind'], Procedure> = {
  'cold-start': coldStart,
  burst,
};
