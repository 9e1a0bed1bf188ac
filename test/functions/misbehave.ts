import { MISBEHAVE } from '../../agent/selftest/misbehaving.ts';
import { LockstepError } from '../../schemas/errors.ts';
import { builtArtefacts } from './running-function.ts';

/**
 * The folder that is the root of the misbehaving function.
 *
 * @throws LockstepError TOOL_MISSING if the set-up could not build it.
 */
export async function buildMisbehave(): Promise<string> {
  const digest = (await builtArtefacts.names())[MISBEHAVE];
  if (digest !== undefined) return builtArtefacts.assemble(digest);
  throw new LockstepError('TOOL_MISSING', `${MISBEHAVE} is not built`, {
    hint: 'Run `npm run setup`.',
  });
}
