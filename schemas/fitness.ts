import type { ArtefactManifest } from './artefact.ts';
import { traitsOf } from './sandbox.ts';
import type { SandboxName } from './sandbox.ts';

/** What decides in which kinds of sandbox a function can run. */
export interface FunctionForm {
  readonly form: 'program' | 'wasm' | 'worker';
  /** True if its program needs no other file. */
  readonly staticBinary: boolean;
}

/** The form of a function, by its manifest. */
export function formOf(manifest: Pick<ArtefactManifest, 'form' | 'staticBinary'>): FunctionForm {
  return { form: manifest.form ?? 'program', staticBinary: manifest.staticBinary };
}

/** True if a kind of sandbox can run a function of such a form, on whatever device. */
export function canRun(sandbox: SandboxName, { form, staticBinary }: FunctionForm): boolean {
  const { runs } = traitsOf(sandbox);
  return runs === 'static-program' ? form === 'program' && staticBinary : runs === form;
}
