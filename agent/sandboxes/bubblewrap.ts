import { LockstepError } from '../../schemas/errors.ts';
import { runCommand } from './command.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { signalFirstProcess } from './first-process.ts';
import { assertRunnable, functionCommandLine } from './function-root.ts';
import { Gate } from './gate.ts';
import { GatedSandbox, undo } from './gated-sandbox.ts';
import { SLOT_INTERFACE } from './network.ts';
import { containerDetails } from './oci-container.ts';

/**
 * A container made by bubblewrap, the small program behind Flatpak: namespaces, also of users, and
 * no rights. It knows nothing of cgroups; the gated child joins them before.
 */
export const bubblewrapDriver: SandboxDriver = {
  name: 'bubblewrap',
  slotKind: 'veth',
  detect,
  create,
};

async function detect(context: DriverContext): Promise<Record<string, string>> {
  let text: string;
  try {
    text = (await runCommand(['bwrap', '--version'])).stdout;
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', 'bubblewrap is not installed or does not run', {
      cause,
      hint: 'apt-get install bubblewrap',
    });
  }
  return containerDetails(context, {
    version: /(\d\S*)/.exec(text)?.[1] ?? 'unknown',
    'user-namespace': 'own',
    sysfs: 'none',
  });
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { cgroups } = context;
  const { id, functionRoot, slot } = spec;
  const netns = slot.netnsPath === undefined ? {} : { netnsPath: slot.netnsPath };
  await assertRunnable(functionRoot);
  try {
    await cgroups.create(id, spec.limits);
    const gate = await Gate.create({
      command: bubblewrapCommand(spec),
      joinFiles: cgroups.joinFiles(id),
      ...netns,
      onPhase: (phase, atMonoNs) => {
        observer.onPhase(phase, atMonoNs);
      },
    });
    const sandbox: GatedSandbox = new GatedSandbox({
      id,
      ...netns,
      networkInterface: SLOT_INTERFACE,
      gate,
      cgroups,
      observer,
      commandIs: 'sandbox',
      requestStop: () => {
        // What bubblewrap's own process gets, it does not pass on.
        signalFirstProcess(sandbox.processIds(), 'SIGTERM');
        return Promise.resolve();
      },
      dispose: () => Promise.resolve(),
    });
    return sandbox;
  } catch (error) {
    return undo([() => cgroups.remove(id), () => cgroups.killAll(id)], error);
  }
}

/** The command line of bubblewrap for a function; the network namespace is the caller's. */
export function bubblewrapCommand(spec: SandboxSpec): string[] {
  return [
    'bwrap',
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts'],
    ...['--hostname', spec.id, '--die-with-parent', '--cap-drop', 'ALL'],
    ...['--ro-bind', spec.functionRoot.folder, '/'],
    ...['--proc', '/proc', '--dev', '/dev'],
    ...['--perms', '1777', '--tmpfs', '/tmp'],
    // As in other containers the function is the first process and has nobody above it.
    ...['--as-pid-1', '--chdir', '/', '--'],
    ...functionCommandLine(spec, ''),
  ];
}
