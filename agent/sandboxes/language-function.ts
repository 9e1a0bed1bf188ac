import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { LockstepError } from '../../schemas/errors.ts';
import type { ArtefactManifest } from '../../schemas/artefact.ts';
import { functionCommand } from './function-root.ts';
import type { FunctionRoot } from './function-root.ts';

/**
 * Where the module or the script of a function is on this device: the first word of its command.
 *
 * @throws LockstepError IMAGE_INVALID if the function is of another form, or its file is missing.
 */
export async function findCode(
  functionRoot: FunctionRoot,
  form: NonNullable<ArtefactManifest['form']>,
): Promise<string> {
  const { folder, manifest } = functionRoot;
  if (manifest.form !== form) {
    throw new LockstepError(
      'IMAGE_INVALID',
      `function ${manifest.name} is a ${manifest.form ?? 'program'}, and not a ${form}`,
      { hint: `name a function for this kind of sandbox: hello-${form}` },
    );
  }
  const path = functionCommand(functionRoot, folder)[0] ?? '';
  try {
    await access(path, constants.R_OK);
    return path;
  } catch (cause) {
    throw new LockstepError(
      'IMAGE_INVALID',
      `function ${manifest.name}: ${path} is no file of the artefact`,
      { cause, hint: 'build the function again, and check the entry of its manifest' },
    );
  }
}
