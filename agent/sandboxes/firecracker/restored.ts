import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError, errorMessageOf } from '../../../schemas/errors.ts';
import { runCommand } from '../command.ts';
import type { DriverContext, Sandbox, SandboxObserver, SandboxSpec } from '../driver.ts';
import { FUNCTION_PORT } from '../function-root.ts';
import { undo } from '../gated-sandbox.ts';
import { awaitListener } from '../reachable.ts';
import { firecrackerRequest } from './api-client.ts';
import type { FirecrackerApi } from './api-client.ts';
import type { GuestPayload } from './guest.ts';
import type { FirecrackerHost } from './host.ts';
import { JAILED_VSOCK_FILE, createMachine, placesOf } from './machine.ts';
import type { Machine } from './machine.ts';
import { NETWORK_ID, vmConfig } from './vm-config.ts';

/** A saved guest. */
interface Snapshot {
  readonly stateFile: string;
  readonly memoryFile: string;
}

interface RestoredParts {
  readonly host: FirecrackerHost;
  readonly payload: GuestPayload;
  readonly spec: SandboxSpec;
}

const BOOT_TIMEOUT_MS = 60_000;
const LISTEN_TIMEOUT_MS = 60_000;
const DIG_TIMEOUT_MS = 30_000;

/**
 * Boots the function in its slot, saves the guest once it listens, ends it, and prepares a new
 * Firecracker that loads what was saved when its gate opens. A guest that was saved has called the
 * ready listener before, so the first connection that it takes stands for that call.
 *
 * @throws LockstepError SANDBOX_FAILED if the guest can't be saved.
 */
export async function createRestored(
  context: DriverContext,
  parts: RestoredParts,
  observer: SandboxObserver,
): Promise<Sandbox> {
  const { host, payload, spec } = parts;
  const snapshot = snapshotOf(context, spec.id);
  const removeSnapshot = async (): Promise<void> => {
    const drives = payload.drives.map(({ file }) => file);
    for (const file of [snapshot.stateFile, snapshot.memoryFile, ...drives]) {
      await rm(file, { force: true });
    }
  };
  const waiting = new AbortController();
  try {
    await takeSnapshot(context, parts, snapshot);
    const { sandbox } = await createMachine(
      context,
      {
        host,
        spec,
        plan: {
          // Its drives must be where they were; one request is left to be timed.
          readOnlyFiles: [snapshot.stateFile, snapshot.memoryFile],
          ownFiles: payload.drives.map(({ file }) => file),
          hasMetricsWord: true,
          configure: async (api) => {
            await load(api, parts, snapshot);
            const place = { address: spec.slot.address, port: FUNCTION_PORT };
            const atMonoNs = await awaitListener(place, LISTEN_TIMEOUT_MS, waiting.signal);
            observer.onPhase('ready', atMonoNs);
          },
        },
      },
      observer,
    );
    return withEnd(sandbox, waiting, removeSnapshot);
  } catch (error) {
    return undo([removeSnapshot], error);
  }
}

function snapshotOf({ scratchFolder }: DriverContext, id: string): Snapshot {
  const at = (ending: string): string => join(scratchFolder, `${id}.${ending}`);
  return { stateFile: at('state'), memoryFile: at('memory') };
}

async function load(
  api: FirecrackerApi,
  { host, spec }: RestoredParts,
  { memoryFile, stateFile }: Snapshot,
): Promise<void> {
  await api.send(
    firecrackerRequest('PUT /snapshot/load', {
      snapshot_path: stateFile,
      mem_backend: { backend_type: 'File', backend_path: memoryFile },
      resume_vm: true,
      network_overrides: [{ iface_id: NETWORK_ID, host_dev_name: spec.slot.interfaceName }],
      // The socket of the one that was saved is not where a jailed one may make its own.
      ...(host.choices.hasVsock && host.choices.isJailed
        ? { vsock_override: { uds_path: JAILED_VSOCK_FILE } }
        : {}),
    }),
  );
}

/** Boots, pauses and saves. That Firecracker is outside of any jail, and is gone afterwards. */
async function takeSnapshot(
  context: DriverContext,
  { host, payload, spec }: RestoredParts,
  snapshot: Snapshot,
): Promise<void> {
  const makerSpec = { ...spec, id: `${spec.id}-m` };
  const places = placesOf(context, spec.id);
  const config = vmConfig({
    ...{ payload, limits: spec.limits, slot: spec.slot },
    metricsFile: placesOf(context, makerSpec.id).metricsFile,
    ...(host.choices.hasVsock ? { vsockFile: places.vsockFile } : {}),
  });
  // It leaves the drives as they are when the guest is saved, for the one that goes on with them.
  const files = { readOnlyFiles: [], ownFiles: [] };
  const plan = { ...files, configFile: config, hasMetricsWord: false, isUnjailed: true };
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => undefined);
  const machine = await createMachine(
    context,
    { host, plan, spec: makerSpec },
    {
      onPhase: () => undefined,
      onExit: (description) => {
        ended.reject(new Error(`the guest to be saved ended: ${description}`));
      },
    },
  );
  try {
    await save(machine, { spec, snapshot, ended: ended.promise });
  } catch (cause) {
    throw new LockstepError(
      'SANDBOX_FAILED',
      `the guest could not be saved: ${errorMessageOf(cause)}; ` +
        `it printed: ${machine.sandbox.logTail().trim().slice(-500)}`,
      { cause, hint: 'try the sandbox firecracker, which only boots' },
    );
  } finally {
    await machine.sandbox.remove();
    await rm(places.vsockFile, { force: true });
  }
  // What the guest never touched is written as zeros, and need not be kept in memory.
  const dig = ['fallocate', '--dig-holes', snapshot.memoryFile];
  await runCommand(dig, { timeoutMs: DIG_TIMEOUT_MS }).catch(() => undefined);
}

async function save(
  { api, sandbox }: Machine,
  {
    ended,
    snapshot,
    spec,
  }: { readonly ended: Promise<never>; readonly snapshot: Snapshot; readonly spec: SandboxSpec },
): Promise<void> {
  const waiting = new AbortController();
  sandbox.start();
  const place = { address: spec.slot.address, port: FUNCTION_PORT };
  try {
    await Promise.race([awaitListener(place, BOOT_TIMEOUT_MS, waiting.signal), ended]);
  } finally {
    waiting.abort();
  }
  await api.send(firecrackerRequest('PATCH /vm', { state: 'Paused' }));
  await api.send(
    firecrackerRequest('PUT /snapshot/create', {
      snapshot_path: snapshot.stateFile,
      mem_file_path: snapshot.memoryFile,
      snapshot_type: 'Full',
    }),
  );
}

/** The sandbox, with an end that also ends the wait for it and removes what was saved. */
function withEnd(
  sandbox: Sandbox,
  waiting: AbortController,
  removeSnapshot: () => Promise<void>,
): Sandbox {
  const remove = async (): ReturnType<Sandbox['remove']> => {
    waiting.abort();
    const report = await sandbox.remove();
    await removeSnapshot();
    return report;
  };
  return {
    start: () => sandbox.start(),
    readUsage: () => sandbox.readUsage(),
    target: () => sandbox.target(),
    onBeforeRemoval: (read) => {
      sandbox.onBeforeRemoval(read);
    },
    processIds: () => sandbox.processIds(),
    logTail: () => sandbox.logTail(),
    stop: (timeoutMs) => {
      waiting.abort();
      return sandbox.stop(timeoutMs);
    },
    kill: () => {
      waiting.abort();
      return sandbox.kill();
    },
    remove,
  };
}
