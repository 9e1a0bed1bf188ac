import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import type { DriverContext, SandboxDriver } from './driver.ts';
import { containerDetails, createContainer, stateFolder } from './oci-container.ts';

/** A container: namespaces and a cgroup, made by runc from an OCI bundle, without a daemon. */
export const runcDriver: SandboxDriver = {
  name: 'runc',
  slotKind: 'veth',
  detect,
  create: (context, spec, observer) =>
    createContainer(context, spec, observer, {
      stateFolder: stateFolder(context, 'runc'),
      command: ['runc', '--root', stateFolder(context, 'runc')],
    }),
};

async function detect(context: DriverContext): Promise<Record<string, string>> {
  let text: string;
  try {
    text = (await runCommand(['runc', '--version'])).stdout;
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', 'runc is not installed or does not run', {
      cause,
      hint: 'apt-get install runc',
    });
  }
  const version = /^runc version (\S+)/m.exec(text)?.[1] ?? 'unknown';
  return containerDetails(context, { version });
}
