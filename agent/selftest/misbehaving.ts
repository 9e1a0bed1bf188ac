import { createHash } from 'node:crypto';
import { Architecture } from '../../schemas/artefact.ts';
import type { FunctionRoot } from '../sandboxes/function-root.ts';

/** Name of the artefact. */
export const MISBEHAVE = 'misbehave';

/** The ways in which the function can misbehave; see provisioning/functions/misbehave/main.go. */
export type Misbehaviour =
  | 'never-ready'
  | 'crash-before-ready'
  | 'crash-after-ready'
  | 'status-500'
  | 'print-much'
  | 'fork-children'
  | 'ignore-term';

/** The function with one kind of misbehaviour, out of the folder of its artefact. */
export function misbehaving(folder: string, how: Misbehaviour): FunctionRoot {
  const digest = createHash('sha256').update(`${folder} ${how}`).digest('hex');
  return {
    digest: `sha256:${digest}`,
    folder,
    manifest: {
      protocol: 1,
      kind: 'function',
      name: `${MISBEHAVE}-${how}`,
      architecture: Architecture.parse(process.arch),
      files: [],
      entry: ['{root}/function', how],
      staticBinary: true,
      toolchain: {},
    },
  };
}
