import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';

/** Programs that are in a package of another name; source: Debian 12. */
const PACKAGES: Readonly<Record<string, string>> = {
  ctr: 'containerd',
  dockerd: 'docker.io',
  perl: 'perl-base',
};

/**
 * The version of a program that containers are made with; proves that it can be started.
 *
 * @throws LockstepError TOOL_MISSING with the package as its hint.
 */
export async function versionOf(program: string): Promise<string> {
  try {
    const { stdout } = await runCommand([program, '--version']);
    return /version \(?v?([^\s,)]+)/.exec(stdout)?.[1] ?? 'unknown';
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', `${program} is not installed or does not run`, {
      cause,
      hint: `apt-get install ${PACKAGES[program] ?? program}`,
    });
  }
}

/** True if a program can be started. */
export async function isInstalled(program: string): Promise<boolean> {
  return versionOf(program).then(
    () => true,
    () => false,
  );
}
