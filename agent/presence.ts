import type { Logger } from 'pino';
import type { Bus } from '../bus/bus.ts';
import { Presence } from '../schemas/device.ts';
import type { DeviceFacts } from '../schemas/device.ts';
import { errorMessageOf } from '../schemas/errors.ts';
import type { SandboxAvailability } from '../schemas/sandbox.ts';
import { presenceSubject } from '../schemas/subjects.ts';

/** A device says that it lives this often, ms. */
const PRESENCE_EVERY_MS = 3000;

/** What a presence says that does not change while the agent lives. */
export interface Identity {
  readonly deviceId: string;
  readonly agentVersion: string;
  readonly labels: Record<string, string>;
  readonly facts: DeviceFacts;
}

/** Says on the bus that the device lives and what it does, at each change and every few seconds. */
export class PresenceTeller {
  readonly #bus: Bus;
  readonly #identity: Identity;
  readonly #logger: Logger;
  readonly #startedAtUtcMs = Date.now();
  #facts: DeviceFacts;
  #state: Presence['state'] = 'probing';
  #runId: string | undefined;
  #sandboxes: readonly SandboxAvailability[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(bus: Bus, identity: Identity, logger: Logger) {
    this.#bus = bus;
    this.#identity = identity;
    this.#facts = identity.facts;
    this.#logger = logger;
  }

  /** What the device does now. */
  get state(): Presence['state'] {
    return this.#state;
  }

  /** Begins, and tells again whenever the connection came back. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#tell();
    }, PRESENCE_EVERY_MS);
    this.#bus.onStatus((status) => {
      if (status.type === 'connected') this.#tell();
    });
    this.#tell();
  }

  /** Changes what the device does, and tells. */
  enter(state: Presence['state'], runId?: string): void {
    this.#state = state;
    this.#runId = runId;
    this.#tell();
  }

  /** Adds to what the device can run, or replaces it; told with the next change of state. */
  addSandboxes(found: readonly SandboxAvailability[]): void {
    const names = found.map(({ name }) => name);
    const others = this.#sandboxes.filter(({ name }) => !names.includes(name));
    this.#sandboxes = [...others, ...found];
  }

  /** Changes what the device measured about itself, and tells. */
  setFacts(facts: DeviceFacts): void {
    this.#facts = facts;
    this.#tell();
  }

  /** Tells a last time that the device leaves. */
  stop(): void {
    clearInterval(this.#timer);
    this.enter('leaving');
  }

  #tell(): void {
    const { deviceId } = this.#identity;
    try {
      this.#bus.publish(presenceSubject(deviceId), Presence, {
        ...this.#identity,
        facts: this.#facts,
        startedAtUtcMs: this.#startedAtUtcMs,
        state: this.#state,
        ...(this.#runId === undefined ? {} : { runId: this.#runId }),
        sandboxes: [...this.#sandboxes],
      });
    } catch (error) {
      this.#logger.debug({ error: errorMessageOf(error) }, 'presence not told');
    }
  }
}
