import { LockstepError } from '../../schemas/errors.ts';
import type { ProcedureKind } from '../../schemas/procedure.ts';
import { alloc } from './alloc.ts';
import { burst } from './burst.ts';
import { churn } from './churn.ts';
import { coldStart } from './cold-start.ts';
import { compute } from './compute.ts';
import { density } from './density.ts';
import { idleCpu } from './idle-cpu.ts';
import { idleMemory } from './idle-memory.ts';
import { noOp } from './no-op.ts';
import { openLoop } from './open-loop.ts';
import type { Procedure } from './procedure.ts';
import { read } from './read.ts';
import { startup } from './startup.ts';
import { throughput } from './throughput.ts';
import { unzip } from './unzip.ts';
import { warm } from './warm.ts';
import { warmCall } from './warm-call.ts';

/** Every procedure by its kind. */
const procedures: Partial<Record<ProcedureKind, Procedure>> = {
  'cold-start': coldStart,
  burst,
  startup,
  'warm-call': warmCall,
  warm,
  compute,
  alloc,
  read,
  unzip,
  'idle-memory': idleMemory,
  'idle-cpu': idleCpu,
  density,
  churn,
  throughput,
  'open-loop': openLoop,
  'no-op': noOp,
};

/**
 * The procedure of a kind.
 *
 * @throws LockstepError PROTOCOL_UNSUPPORTED if this release has none.
 */
export function procedureOf(kind: ProcedureKind): Procedure {
  const procedure = procedures[kind];
  if (procedure !== undefined) return procedure;
  throw new LockstepError('PROTOCOL_UNSUPPORTED', `there is no procedure ${kind}`, {
    hint: 'upgrade the agent',
  });
}
