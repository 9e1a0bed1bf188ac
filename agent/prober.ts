import type { Logger } from 'pino';
import { toFailure } from '../schemas/failure.ts';
import type { SandboxName } from '../schemas/sandbox.ts';
import type { SandboxAvailability, SandboxLimits } from '../schemas/sandbox.ts';
import type { Equipment } from './artefacts.ts';
import { RunnerClient } from './runner/client.ts';
import type { RunnerOptions } from './runner/client.ts';

/** Time for a function's first response in a sandbox that is probed, ms. */
const PROBE_TIMEOUT_MS = 60_000;

/** Time for a whole probe, with what the driver has to find out first, ms. */
const PROBE_CALL_TIMEOUT_MS = 150_000;

const SET_UP_TIMEOUT_MS = 60_000;

const PROBE_LIMITS: SandboxLimits = { memoryMib: 256, cpus: 1 };

/** What to probe, with what. */
export interface ProbeRequest {
  readonly cgroupName: string;
  readonly equipment: Equipment;
  readonly sandboxes: readonly SandboxName[];
}

/**
 * Finds out which sandboxes this device can run, by running a function in each. Never fails: what
 * does not work is an answer, with the reason.
 */
export async function probeSandboxes(
  { cgroupName, equipment, sandboxes }: ProbeRequest,
  options: RunnerOptions,
  signal: AbortSignal,
): Promise<SandboxAvailability[]> {
  let runner: RunnerClient | undefined;
  try {
    const started = await RunnerClient.start(options);
    runner = started;
    signal.addEventListener('abort', () => void started.close(), { once: true });
    signal.throwIfAborted();
    await runner.call(
      'setUp',
      {
        cgroupName,
        scratchFolder: options.scratchFolder,
        functions: [...equipment.functions],
        limits: PROBE_LIMITS,
        ...(equipment.guestKernelFolder === undefined
          ? {}
          : { guestKernelFolder: equipment.guestKernelFolder }),
      },
      SET_UP_TIMEOUT_MS,
    );
    const found: SandboxAvailability[] = [];
    // One after the other: probes that disturb each other would run into their deadlines.
    for (const sandbox of sandboxes) {
      found.push(await probeOne(runner, sandbox, options.logger));
    }
    return found;
  } catch (error) {
    const failure = toFailure(error);
    return sandboxes.map((name) => ({ available: false, name, failure }));
  } finally {
    await runner?.close();
  }
}

async function probeOne(
  runner: RunnerClient,
  sandbox: SandboxName,
  logger: Logger,
): Promise<SandboxAvailability> {
  let found: SandboxAvailability;
  try {
    found = await runner.call(
      'probe',
      { sandbox, timeoutMs: PROBE_TIMEOUT_MS },
      PROBE_CALL_TIMEOUT_MS,
    );
  } catch (error) {
    found = { available: false, name: sandbox, failure: toFailure(error) };
  }
  logger.info({ found }, found.available ? 'sandbox works' : 'sandbox does not work here');
  return found;
}
