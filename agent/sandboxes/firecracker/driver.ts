import type { SandboxName } from '../../../schemas/sandbox.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from '../driver.ts';
import { assertRunnable } from '../function-root.ts';
import { startRequests } from './api-client.ts';
import type { ConfigFile } from './api-schemas.ts';
import type { GuestKind, GuestPayload } from './guest.ts';
import { describeHost, findFirecracker } from './host.ts';
import type { FirecrackerHost } from './host.ts';
import { firecrackerLinux } from './linux-guest.ts';
import { JAILED_VSOCK_FILE, createMachine, filesOf, placesOf } from './machine.ts';
import type { MachinePlan } from './machine.ts';
import { nanosGuest } from './nanos-guest.ts';
import { osvGuest } from './osv-guest.ts';
import { createRestored } from './restored.ts';
import { vmConfig } from './vm-config.ts';

/**
 * A Linux guest in Firecracker, from its first instruction on. By default Firecracker reads its
 * whole configuration from a file, so that the gate's one command is all there is to time. With
 * LOCKSTEP_FIRECRACKER_START=api it starts empty and is configured by one request after the other,
 * as services do it: then the time of a client is in the timed part, which the details tell.
 * Written after its published API; no Firecracker has run with it yet.
 */
export const firecrackerDriver: SandboxDriver = coldDriver('firecracker', firecrackerLinux);

/**
 * A Linux guest that was booted, paused and saved before the timed part, which then is a new
 * Firecracker, the loading of its state, and its first answer to a connection.
 */
export const firecrackerRestoredDriver: SandboxDriver = {
  name: 'firecracker-restored',
  slotKind: 'tap',
  detect: async (context) => ({
    ...(await detect(context, 'firecracker-restored', firecrackerLinux)),
    start: 'snapshot-load',
    // The runner's files are in memory, so nothing is read from a disk.
    snapshot: 'in memory, full, of the same slot',
    ready: 'first connection',
  }),
  coldFiles: async (context) => {
    const host = await hostOf(context, 'firecracker-restored', firecrackerLinux);
    return [host.program, ...(host.jailerProgram === undefined ? [] : [host.jailerProgram])];
  },
  create: async (context, spec, observer) => {
    const host = await hostOf(context, 'firecracker-restored', firecrackerLinux);
    await assertRunnable(spec.functionRoot);
    const payload = await firecrackerLinux.payload(context, spec);
    return createRestored(context, { host, payload, spec }, observer);
  },
};

/** Nanos in Firecracker, from its first instruction on. */
export const nanosFirecrackerDriver: SandboxDriver = coldDriver('nanos-firecracker', nanosGuest);

/** OSv in Firecracker, from its first instruction on. */
export const osvFirecrackerDriver: SandboxDriver = coldDriver('osv-firecracker', osvGuest);

/** The driver of a kind of guest that Firecracker boots from its first instruction on. */
export function coldDriver(name: SandboxName, guest: GuestKind): SandboxDriver {
  return {
    name,
    slotKind: 'tap',
    detect: (context) => detect(context, name, guest),
    coldFiles: (context) => coldFiles(context, name, guest),
    create: async (context, spec, observer) => {
      const host = await hostOf(context, name, guest);
      await assertRunnable(spec.functionRoot);
      const payload = await guest.payload(context, spec);
      return createCold(context, { host, payload, spec }, observer);
    },
  };
}

async function detect(
  context: DriverContext,
  name: SandboxName,
  guest: GuestKind,
): Promise<Record<string, string>> {
  const host = await hostOf(context, name, guest);
  return {
    ...describeHost(host),
    ...(await guest.describe(context)),
    cgroups: context.cgroups.mode,
  };
}

/** What a start reads from a disk; images and what was saved are in the runner's memory. */
async function coldFiles(
  context: DriverContext,
  name: SandboxName,
  guest: GuestKind,
): Promise<string[]> {
  const { jailerProgram, program } = await hostOf(context, name, guest);
  const jailer = jailerProgram === undefined ? [] : [jailerProgram];
  return [program, ...jailer, ...(await guest.diskFiles(context))];
}

const hosts = new WeakMap<DriverContext, Map<GuestKind, Promise<FirecrackerHost>>>();

/** Finds it out once for all guests of a kind in a runner: that a probe guest boots takes time. */
function hostOf(
  context: DriverContext,
  name: SandboxName,
  guest: GuestKind,
): Promise<FirecrackerHost> {
  const known = hosts.get(context) ?? new Map<GuestKind, Promise<FirecrackerHost>>();
  hosts.set(context, known);
  const host = known.get(guest) ?? findFirecracker(context, name, guest);
  known.set(guest, host);
  host.catch(() => known.delete(guest));
  return host;
}

async function createCold(
  context: DriverContext,
  parts: { host: FirecrackerHost; payload: GuestPayload; spec: SandboxSpec },
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { host, spec } = parts;
  const { choices } = host;
  const places = placesOf(context, spec.id);
  const vsockFile = choices.isJailed ? JAILED_VSOCK_FILE : places.vsockFile;
  const config = vmConfig({
    ...{ payload: parts.payload, limits: spec.limits, slot: spec.slot },
    metricsFile: places.metricsFile,
    ...(choices.hasVsock ? { vsockFile } : {}),
  });
  const plan = coldPlan(choices.start, config, filesOf(parts.payload));
  return (await createMachine(context, { host, plan, spec }, observer)).sandbox;
}

/** The plan of a Firecracker that boots what a configuration says. */
function coldPlan(
  start: FirecrackerHost['choices']['start'],
  config: ConfigFile,
  files: Pick<MachinePlan, 'ownFiles' | 'readOnlyFiles'>,
): MachinePlan {
  if (start === 'config-file') return { ...files, configFile: config, hasMetricsWord: false };
  const requests = startRequests(config);
  return {
    ...files,
    hasMetricsWord: false,
    configure: async (api) => {
      for (const request of requests) await api.send(request);
    },
  };
}
