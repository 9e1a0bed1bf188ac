import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import type {
  DriverContext,
  Sandbox,
  SandboxDriver,
  SandboxObserver,
  SandboxSpec,
} from './driver.ts';
import { FUNCTION_PORT, assertRunnable } from './function-root.ts';
import { describeMicrovm } from './microvm-host.ts';
import {
  SAVING_CAPABILITIES,
  SavedStates,
  quoteForShell,
  savedGuestCommand,
} from './microvm-states.ts';
import type { SavedState } from './microvm-states.ts';
import { gateMachine } from './qemu-sandbox.ts';
import { fitsSocket } from './qemu-words.ts';
import { awaitListener } from './reachable.ts';
import { QmpChannel } from './qmp-channel.ts';
import { VmmSandbox } from './vmm-sandbox.ts';

/**
 * As microvm, but the guest was booted before and saved when its function was ready; the timed part
 * is a new QEMU that loads it and lets it go on. Its memory is mapped from a file, so a page is
 * read when the guest first touches it. `ready` is when the function takes a connection: it has
 * called the ready listener before it was saved. Its own clocks go on from the moment of the
 * saving, also the clock of the day.
 */
export const microvmRestoredDriver: SandboxDriver = {
  name: 'microvm-restored',
  slotKind: 'tap',
  detect,
  create,
};

const TIMEOUT_MS = 10_000;
const LISTEN_TIMEOUT_MS = 60_000;
const LOG_CHARACTERS_MAX = 16 * 1024;

const states = new WeakMap<DriverContext, SavedStates>();

async function detect(context: DriverContext): Promise<Record<string, string>> {
  quoteForShell(context.scratchFolder);
  return {
    ...(await describeMicrovm(context)),
    'saved-after': 'ready, before the first answer',
    'saved-memory': 'mapped file on the scratch folder',
    'guest-clock': 'as it was saved',
  };
}

async function create(
  context: DriverContext,
  spec: SandboxSpec,
  observer: SandboxObserver,
): Promise<Sandbox> {
  await assertRunnable(spec.functionRoot);
  let saved = states.get(context);
  if (saved === undefined) {
    saved = new SavedStates();
    states.set(context, saved);
  }
  const state = await saved.forSpec(context, spec);
  const controlSocket = join(context.scratchFolder, `${spec.id}.control`);
  if (!fitsSocket(controlSocket)) {
    throw new LockstepError('SANDBOX_FAILED', `no socket can have the path ${controlSocket}`);
  }
  const channel = await QmpChannel.listen(controlSocket);
  const waiting = new AbortController();
  try {
    const saving = { memoryFile: state.memoryFile, mode: 'restore', controlSocket } as const;
    const { command, vmm } = await savedGuestCommand(context, spec, saving);
    const parts = await gateMachine({ context, spec, command, vmm }, observer);
    const sandbox = new VmmSandbox(
      {
        ...parts,
        dispose: async () => {
          await channel.close();
          await parts.dispose();
        },
      },
      observer,
      {
        configure: async () => {
          await restore(channel, state);
          const place = { address: spec.slot.address, port: FUNCTION_PORT };
          observer.onPhase('ready', await awaitListener(place, LISTEN_TIMEOUT_MS, waiting.signal));
        },
        close: () => {
          waiting.abort();
          void channel.close();
        },
      },
    );
    return withEarlierLog(sandbox, state.logTail);
  } catch (error) {
    await channel.close();
    throw error;
  }
}

async function restore(channel: QmpChannel, { stateFile }: SavedState): Promise<void> {
  await channel.open(TIMEOUT_MS);
  await channel.execute('migrate-set-capabilities', SAVING_CAPABILITIES, TIMEOUT_MS);
  const uri = `exec:cat ${quoteForShell(stateFile)}`;
  await channel.execute('migrate-incoming', { uri }, TIMEOUT_MS);
  // It ran when it was saved, so it goes on by itself.
  await channel.awaitEvent('RESUME', TIMEOUT_MS);
}

/** What the function printed before it was saved belongs to its log. */
function withEarlierLog(sandbox: Sandbox, earlier: string): Sandbox {
  return {
    start: () => sandbox.start(),
    readUsage: () => sandbox.readUsage(),
    target: () => sandbox.target(),
    onBeforeRemoval: (read) => {
      sandbox.onBeforeRemoval(read);
    },
    processIds: () => sandbox.processIds(),
    logTail: () => (earlier + sandbox.logTail()).slice(-LOG_CHARACTERS_MAX),
    stop: (timeoutMs) => sandbox.stop(timeoutMs),
    kill: () => sandbox.kill(),
    remove: () => sandbox.remove(),
  };
}
