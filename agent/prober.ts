import type { Logger } from 'pino';
import { toFailure } from '../schemas/failure.ts';
import { SandboxName, traitsOf } from '../schemas/sandbox.ts';
import type { SandboxAvailability, SandboxLimits } from '../schemas/sandbox.ts';
import { runnerEquipment } from './artefacts.ts';
import type { Artefacts } from './artefacts.ts';
import { RunnerClient } from './runner/client.ts';
import type { RunnerOptions } from './runner/client.ts';

/** Time for a function's first response in a sandbox that is probed, ms. */
const PROBE_TIMEOUT_MS = 60_000;

/** Time for a whole probe, with what the driver has to find out first, ms. */
const PROBE_CALL_TIMEOUT_MS = 150_000;

const SET_UP_TIMEOUT_MS = 60_000;

const PROBE_LIMITS: SandboxLimits = { memoryMib: 256, cpus: 1 };

/** Functions that sandboxes are probed with, by what a sandbox runs; the first that there is. */
const PROBE_FUNCTIONS = {
  program: ['hello-go', 'hello-node'],
  'static-program': ['hello-go'],
  wasm: ['hello-wasm'],
  worker: ['hello-worker'],
} as const;

/** What a prober works with. */
export interface ProberParts {
  readonly cgroupName: string;
  readonly artefacts: Pick<Artefacts, 'equipFromNames'>;
  readonly runner: RunnerOptions;
  /** The only kinds of sandbox that this agent offers. Absent: all. */
  readonly offered: readonly SandboxName[] | undefined;
}

/** Finds out which kinds of sandbox this device can run, by running a function in each. */
export class Prober {
  readonly #parts: ProberParts;

  constructor(parts: ProberParts) {
    this.#parts = parts;
  }

  /**
   * Probes kinds of sandbox, one after the other. Never fails: what does not work is an answer,
   * with the reason. Names that this release does not know are left out.
   */
  async probe(names: readonly string[], signal: AbortSignal): Promise<SandboxAvailability[]> {
    const known = names.flatMap((name) => SandboxName.safeParse(name).data ?? []);
    const { offered } = this.#parts;
    const wanted = known.filter((name) => offered?.includes(name) !== false);
    const refused = known.filter((name) => !wanted.includes(name));
    return [
      ...(wanted.length === 0 ? [] : await this.#probeAll(wanted, signal)),
      ...refused.map((name) => notOffered(name)),
    ];
  }

  async #probeAll(
    sandboxes: readonly SandboxName[],
    signal: AbortSignal,
  ): Promise<SandboxAvailability[]> {
    const { cgroupName, artefacts, runner: options } = this.#parts;
    let runner: RunnerClient | undefined;
    try {
      const functions = sandboxes.map((name) => PROBE_FUNCTIONS[traitsOf(name).runs]);
      const equipment = await artefacts.equipFromNames(functions);
      const started = await RunnerClient.start(options);
      runner = started;
      signal.addEventListener('abort', () => void started.close(), { once: true });
      signal.throwIfAborted();
      const setUp = { cgroupName, scratchFolder: options.scratchFolder, limits: PROBE_LIMITS };
      await runner.call('setUp', { ...setUp, ...runnerEquipment(equipment) }, SET_UP_TIMEOUT_MS);
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
}

function notOffered(name: SandboxName): SandboxAvailability {
  return {
    available: false,
    name,
    failure: {
      code: 'SANDBOX_UNAVAILABLE',
      message: `the agent of this device does not offer ${name}`,
      hint: `Start it with ${name} among its --sandboxes, or without that option.`,
    },
  };
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
