import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import type { ArtefactManifest } from '../../schemas/artefact.ts';

/** A function whose files stand assembled and read-only in a folder on this device. */
export interface FunctionRoot {
  readonly manifest: ArtefactManifest;
  /** Digest of the manifest. */
  readonly digest: string;
  /** The folder that is the root of the function's files. */
  readonly folder: string;
}

/** The command of a function, with `{root}` replaced. */
export function functionCommand(functionRoot: FunctionRoot, root: string): string[] {
  return functionRoot.manifest.entry.map((word) => word.replaceAll('{root}', root));
}

/** Where the first word of the command is on this device. */
export function functionBinary(functionRoot: FunctionRoot): string {
  const first = functionCommand(functionRoot, '')[0] ?? '';
  return join(functionRoot.folder, first);
}

/** Port that every function listens on. */
export const FUNCTION_PORT = 8080;

/** What every function understands, whatever it is written in. */
export interface FunctionArguments {
  /** Address and port to listen on. */
  readonly listen: string;
  /** URL to call once it listens. */
  readonly readyUrl: string;
}

/** The arguments as words of a command line. */
export function functionArguments(values: FunctionArguments): string[] {
  return ['--listen', values.listen, '--ready', values.readyUrl];
}

/** The whole command line of a function that runs in a slot, with `{root}` replaced. */
export function functionCommandLine(
  spec: {
    readonly functionRoot: FunctionRoot;
    readonly slot: { readonly address: string; readonly gatewayAddress: string };
    readonly readyPort: number;
  },
  root: string,
): string[] {
  const { functionRoot, slot, readyPort } = spec;
  return [
    ...functionCommand(functionRoot, root),
    ...functionArguments({
      listen: `${slot.address}:${FUNCTION_PORT}`,
      readyUrl: `http://${slot.gatewayAddress}:${readyPort}/ready`,
    }),
  ];
}

/**
 * Checks that the first word of the command is there and can be executed.
 *
 * @throws LockstepError IMAGE_INVALID if not.
 */
export async function assertRunnable(functionRoot: FunctionRoot): Promise<void> {
  const { name } = functionRoot.manifest;
  const [first] = functionRoot.manifest.entry;
  if (first === undefined) {
    throw new LockstepError('IMAGE_INVALID', `function ${name} has no command`, {
      hint: 'name the program in the entry of its manifest',
    });
  }
  try {
    await access(functionBinary(functionRoot), constants.X_OK);
  } catch (cause) {
    throw new LockstepError(
      'IMAGE_INVALID',
      `function ${name}: ${first} is not an executable file of the artefact`,
      { cause, hint: 'build the function again, and check the entry of its manifest' },
    );
  }
}
