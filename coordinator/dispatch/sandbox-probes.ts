import type { Bus } from '../../bus/bus.ts';
import { LockstepError } from '../../schemas/errors.ts';
import type { Experiment } from '../../schemas/experiment.ts';
import { selectDevices } from '../planning/device-selection.ts';
import type { SelectableDevice } from '../planning/device-selection.ts';
import { commandDevice } from './device-commands.ts';

/** A device answers at once that it begins, ms. */
const ANSWER_TIMEOUT_MS = 5000;

/** Lets devices find out about kinds of sandbox that they have not told of yet, each once. */
export class SandboxProbes {
  readonly #bus: Bus;
  // By device and start of its agent: what it was asked for.
  readonly #asked = new Map<string, Set<string>>();

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /**
   * Asks every free device of an experiment about those of its kinds of sandbox that the device
   * has not told of.
   *
   * @throws LockstepError DEVICE_PROBING if one begins to find out; NO_DEVICE as the selection.
   */
  async begin(
    experiment: Pick<Experiment, 'devices' | 'factors'>,
    known: readonly SelectableDevice[],
  ): Promise<void> {
    const { taken } = selectDevices(experiment.devices, known);
    const begun = await Promise.all(
      taken.map(async (device) => {
        const missing = this.#missing(experiment.factors.sandbox, device);
        if (missing.length === 0) return [];
        const { deviceId } = device.presence;
        const target = { deviceId, verb: 'probe', timeoutMs: ANSWER_TIMEOUT_MS } as const;
        try {
          await commandDevice(this.#bus, target, { sandboxes: missing });
        } catch {
          // It can't be asked: an older release, or lost. Planning says what that means.
          return [];
        }
        return [`${deviceId} (${missing.join(', ')})`];
      }),
    );
    const probing = begun.flat();
    if (probing.length === 0) return;
    throw new LockstepError(
      'DEVICE_PROBING',
      `finding out what they can run: ${probing.join('; ').slice(0, 1000)}`,
      { hint: 'Try again in a minute, or watch them with: lockstep devices' },
    );
  }

  #missing(sandboxes: readonly string[], { presence }: SelectableDevice): string[] {
    const key = `${presence.deviceId} ${presence.startedAtUtcMs}`;
    const asked = this.#asked.get(key) ?? new Set();
    this.#asked.set(key, asked);
    const told: readonly string[] = presence.sandboxes.map(({ name }) => name);
    const missing = sandboxes.filter((name) => !told.includes(name) && !asked.has(name));
    for (const name of missing) asked.add(name);
    return missing;
  }
}
