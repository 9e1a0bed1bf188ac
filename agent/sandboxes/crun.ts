import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import type { DriverContext, SandboxDriver } from './driver.ts';
import { containerDetails, createContainer, stateFolder } from './oci-container.ts';
import { crunWrapper } from './runtime-wrapper.ts';

/** A container as runc's, from the same OCI bundle, made by crun: a runtime in C. */
export const crunDriver: SandboxDriver = {
  name: 'crun',
  slotKind: 'veth',
  detect,
  create: (context, spec, observer) =>
    createContainer(context, spec, observer, {
      stateFolder: stateFolder(context, 'crun'),
      wrapper: crunWrapper(),
      command: [
        ...['crun', '--root', stateFolder(context, 'crun')],
        ...(context.cgroups.mode === 'none' ? ['--cgroup-manager=disabled'] : []),
      ],
    }),
};

async function detect(context: DriverContext): Promise<Record<string, string>> {
  let text: string;
  try {
    text = (await runCommand(['crun', '--version'])).stdout;
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', 'crun is not installed or does not run', {
      cause,
      hint: 'apt-get install crun',
    });
  }
  const version = /^crun version (\S+)/m.exec(text)?.[1] ?? 'unknown';
  const isWrapped = crunWrapper().length > 0;
  return containerDetails(context, {
    version,
    ...(isWrapped ? { wrapper: 'mount namespace without the version 2 hierarchy' } : {}),
  });
}
