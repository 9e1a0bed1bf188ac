import test from 'ava';
import { noOp } from '../../../agent/procedures/no-op.ts';
import type { ProcedureContext } from '../../../agent/procedures/procedure.ts';

const CELL = { id: 'process/hello-go/3', sandbox: 'process', function: 'hello-go', instances: 3 };

/** A context of which nothing may be touched. */
const untouchable = new Proxy({} as ProcedureContext, {
  get: (_target, name) => {
    throw new Error(`${String(name)} was used`);
  },
});

test('no-op starts no sandbox, whatever the cell says, and leaves nothing', async (t) => {
  const armed = await noOp.arm(untouchable, { ...CELL, sandbox: 'process' });
  t.deepEqual(armed.targets, []);
  t.deepEqual(await armed.start(1n), { instances: [], leftovers: [], finals: [] });
});

test('no-op can be stood down', async (t) => {
  const armed = await noOp.arm(untouchable, { ...CELL, sandbox: 'process' });
  t.deepEqual(await armed.standDown(), []);
});
