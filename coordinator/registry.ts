import type { Logger } from 'pino';
import type { Bus, Listening } from '../bus/bus.ts';
import { Presence } from '../schemas/device.ts';
import type { Device } from '../schemas/device.ts';
import { PROTOCOL_VERSION } from '../schemas/protocol.ts';
import { PRESENCE_WILDCARD } from '../schemas/subjects.ts';

/** A device that was silent for this long counts as offline, ms: three presences missed. */
export const OFFLINE_AFTER_MS = 10_000;

/** Presences are put into the store at most this often per device, ms, unless something changed. */
const STORE_EVERY_MS = 30_000;

/** Most devices that are kept. */
const DEVICES_MAX = 20_000;

/** Where the registry keeps devices between starts of the coordinator. */
export interface DeviceStore {
  list(): Promise<Device[]>;
  put(deviceId: string, device: Device): Promise<void>;
}

/** What the registry tells about: a device was heard. */
export type PresenceListener = (presence: Presence, before: Presence | undefined) => void;

/** Knows every device that ever said that it lives, and which are online now. */
export class Registry {
  readonly #devices = new Map<string, Device>();
  readonly #storedAtMs = new Map<string, number>();
  readonly #listeners = new Set<PresenceListener>();
  readonly #store: DeviceStore;
  readonly #logger: Logger;

  private constructor(store: DeviceStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  /** Loads what is stored and listens to presences from now on. */
  static async open(
    bus: Bus,
    store: DeviceStore,
    logger: Logger,
  ): Promise<{ registry: Registry; listening: Listening }> {
    const registry = new Registry(store, logger);
    for (const device of await store.list()) {
      registry.#devices.set(device.presence.deviceId, device);
    }
    const listening = await bus.subscribe(PRESENCE_WILDCARD, Presence, (presence, subject) => {
      // The server lets a device publish on its own subject only; so the subject is the truth.
      if (subject.split('.')[2] !== presence.deviceId) return;
      registry.note(presence);
    });
    return { registry, listening };
  }

  /** Every device, by id. */
  all(): Device[] {
    return [...this.#devices.values()].toSorted((left, right) =>
      left.presence.deviceId.localeCompare(right.presence.deviceId),
    );
  }

  /** One device, or `undefined` if it was never heard. */
  get(deviceId: string): Device | undefined {
    return this.#devices.get(deviceId);
  }

  /** True if the device was heard lately and is not leaving. */
  isOnline(deviceId: string): boolean {
    const device = this.#devices.get(deviceId);
    if (device === undefined || device.presence.state === 'leaving') return false;
    return Date.now() - device.lastSeenAtUtcMs < OFFLINE_AFTER_MS;
  }

  /** Calls back at each presence. Returns how to stop that. */
  watch(listener: PresenceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes a presence in. */
  note(presence: Presence): void {
    const { deviceId } = presence;
    const before = this.#devices.get(deviceId)?.presence;
    if (before === undefined && this.#devices.size >= DEVICES_MAX) {
      this.#logger.error({ deviceId, devices: DEVICES_MAX }, 'too many devices: presence dropped');
      return;
    }
    const device: Device = {
      protocol: PROTOCOL_VERSION,
      presence,
      lastSeenAtUtcMs: Date.now(),
    };
    this.#devices.set(deviceId, device);
    this.#keep(device, before);
    for (const listener of this.#listeners) listener(presence, before);
  }

  #keep(device: Device, before: Presence | undefined): void {
    const { deviceId } = device.presence;
    const storedAtMs = this.#storedAtMs.get(deviceId) ?? 0;
    const isChanged =
      before?.state !== device.presence.state ||
      before.startedAtUtcMs !== device.presence.startedAtUtcMs;
    if (!isChanged && device.lastSeenAtUtcMs - storedAtMs < STORE_EVERY_MS) return;
    this.#storedAtMs.set(deviceId, device.lastSeenAtUtcMs);
    this.#store.put(deviceId, device).catch((error: unknown) => {
      this.#storedAtMs.delete(deviceId);
      this.#logger.warn({ deviceId, error }, 'device could not be stored; it is tried again');
    });
  }
}
