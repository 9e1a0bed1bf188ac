import { burst } from './burst.ts';
import { coldStart } from './cold-start.ts';
import { noOp } from './no-op.ts';
import type { Procedure } from './procedure.ts';
import { warmCall } from './warm-call.ts';

/** Every procedure by its kind. */
export const procedures: Record<Procedure['kind'], Procedure> = {
  'cold-start': coldStart,
  burst,
  'warm-call': warmCall,
  'no-op': noOp,
};
