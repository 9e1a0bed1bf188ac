import { readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
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
import { OPEN_FILES_LIMIT } from './inheritance.ts';
import { SLOT_INTERFACE } from './network.ts';
import { prepareNspawnRoot } from './nspawn-root.ts';
import { containerDetails } from './oci-container.ts';

/** A container made by systemd-nspawn, without systemd itself and its register of machines. */
export const nspawnDriver: SandboxDriver = { name: 'nspawn', slotKind: 'veth', detect, create };

async function detect(context: DriverContext): Promise<Record<string, string>> {
  let text: string;
  try {
    text = (await runCommand(['systemd-nspawn', '--version'])).stdout;
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', 'systemd-nspawn is not installed or does not run', {
      cause,
      hint: 'apt-get install systemd-container',
    });
  }
  assertRights(context);
  return containerDetails(context, {
    version: /^systemd (\S+)/m.exec(text)?.[1] ?? 'unknown',
    wrapper: 'mount namespace with a /run of its own',
    root: 'bind mounts on a prepared folder, read-only',
    seccomp: 'the filter of systemd-nspawn',
  });
}

/** It takes the cgroup of its caller for its own, and it has to be root of the device. */
function assertRights({ cgroups }: DriverContext): void {
  const isRoot = readFileSync('/proc/self/uid_map', 'utf8').trim().endsWith('4294967295');
  if (isRoot && cgroups.mode !== 'none') return;
  throw new LockstepError(
    'SANDBOX_UNAVAILABLE',
    isRoot
      ? `systemd-nspawn needs a cgroup of its own: ${cgroups.reason ?? 'there are none'}`
      : 'systemd-nspawn needs the rights of root outside of user namespaces',
    { hint: 'run the agent as root on a system with cgroups' },
  );
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { cgroups } = context;
  const { id, functionRoot, slot } = spec;
  const { netnsPath } = slot;
  if (netnsPath === undefined) {
    throw new LockstepError('SANDBOX_UNAVAILABLE', 'systemd-nspawn needs a network namespace');
  }
  await assertRunnable(functionRoot);
  const folder = join(context.scratchFolder, 'nspawn', id);
  const root = join(folder, 'root');
  const removeFolder = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await mkdir(root, { recursive: true });
    const binds = await prepareNspawnRoot(root, functionRoot.folder);
    await cgroups.create(id, spec.limits);
    const gate = await Gate.create({
      wrapper: OWN_RUN,
      command: [...nspawnCommand({ id, root, netnsPath, binds }), ...functionCommandLine(spec, '')],
      joinFiles: [...cgroups.joinFiles(id), ...(await makeSystemdCgroups(cgroups.ociPath(id)))],
      onPhase: (phase, atMonoNs) => {
        observer.onPhase(phase, atMonoNs);
      },
    });
    const sandbox: GatedSandbox = new GatedSandbox({
      id,
      netnsPath,
      networkInterface: SLOT_INTERFACE,
      gate,
      cgroups,
      observer,
      commandIs: 'sandbox',
      requestStop: () => {
        signalFirstProcess(sandbox.processIds(), 'SIGTERM');
        return Promise.resolve();
      },
      dispose: removeFolder,
    });
    return sandbox;
  } catch (error) {
    return undo([removeFolder, () => cgroups.remove(id), () => cgroups.killAll(id)], error);
  }
}

// It keeps locks and a folder for each machine below /run/systemd, and leaves them if it is killed.
const OWN_RUN_SCRIPT = `
mount -t tmpfs lockstep /run/systemd 2>/dev/null || mount -t tmpfs lockstep /run || exit 94
exec "$@"
`;

const OWN_RUN = [
  ...['unshare', '--mount', '--propagation', 'private', '--'],
  ...['/bin/sh', '-c', OWN_RUN_SCRIPT, 'lockstep'],
] as const;

/** What differs between two containers of systemd-nspawn. */
interface NspawnOptions {
  readonly id: string;
  readonly root: string;
  readonly netnsPath: string;
  /** Options that bind the function's files. */
  readonly binds: readonly string[];
}

/** The command line of systemd-nspawn; the function's is to follow. */
export function nspawnCommand({ id, root, netnsPath, binds }: NspawnOptions): string[] {
  return [
    ...['systemd-nspawn', '--quiet', '--settings=no', '--register=no', '--keep-unit'],
    ...[`--machine=${id}`, `--directory=${root}`, '--read-only', '--console=pipe'],
    `--network-namespace-path=${netnsPath}`,
    ...['--drop-capability=all', '--no-new-privileges=yes'],
    ...['--resolv-conf=off', '--timezone=off', '--link-journal=no'],
    `--rlimit=NOFILE=${OPEN_FILES_LIMIT.soft}:${OPEN_FILES_LIMIT.hard}`,
    '--oom-score-adjust=0',
    '--tmpfs=/tmp:mode=1777,nosuid,nodev',
    ...binds,
    '--',
  ];
}

/**
 * Makes the cgroup also in the hierarchies that limit nothing, where systemd-nspawn makes groups
 * below that of its caller. Returns the files to join them by. The sandbox's removal takes them.
 */
async function makeSystemdCgroups(path: string | undefined): Promise<string[]> {
  const files: string[] = [];
  for (const mount of systemdHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'))) {
    const folder = join(mount, path ?? '/');
    await mkdir(folder, { recursive: true });
    files.push(join(folder, 'cgroup.procs'));
  }
  return files;
}

/** Mount points of the hierarchies without limits beside those of version 1; none on version 2. */
export function systemdHierarchies(mountinfo: string): string[] {
  const lines = mountinfo.split('\n');
  const isVersion1 = lines.some((line) => line.includes(' - cgroup '));
  if (!isVersion1) return [];
  return lines
    .filter((line) => /(?: - cgroup2 )|(?: - cgroup .*\bname=systemd\b)/.test(line))
    .map((line) => line.split(' ')[4] ?? '');
}
