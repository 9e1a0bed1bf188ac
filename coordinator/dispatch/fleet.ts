import type { Bus } from '../../bus/bus.ts';
import type { MessageHeaders } from '../../bus/message-headers.ts';
import { LockstepError } from '../../schemas/errors.ts';
import type { Presence } from '../../schemas/device.ts';
import { commandDevice } from './device-commands.ts';
import type {
  CommandMessage,
  CommandOutcome,
  CommandReply,
  CommandVerb,
} from './device-commands.ts';
import type { Registry } from '../registry.ts';

/** Time to fetch artefacts and to set up the measuring process, ms. */
const PREPARE_TIMEOUT_MS = 180_000;

/** Time to wait for a device that was lost, ms: an agent's start with its probes. */
const RETURN_TIMEOUT_MS = 90_000;

/** The devices of one run: which are prepared, which were lost, and how to ask them. */
export class Fleet {
  readonly deviceIds: readonly string[];
  readonly #isOfRun: ReadonlySet<string>;
  readonly #bus: Bus;
  readonly #registry: Registry;
  readonly #prepare: CommandMessage<'prepare'>;
  /** The start of the agent that was prepared; another start means that it forgot. */
  readonly #preparedStart = new Map<string, number>();
  /** When a device did not answer arm, ms since 1970; forgotten once it is heard again. */
  readonly #unansweredAtMs = new Map<string, number>();

  constructor(
    deviceIds: readonly string[],
    prepare: CommandMessage<'prepare'>,
    ports: { bus: Bus; registry: Registry },
  ) {
    this.deviceIds = deviceIds;
    this.#isOfRun = new Set(deviceIds);
    this.#prepare = prepare;
    this.#bus = ports.bus;
    this.#registry = ports.registry;
  }

  /** The devices that can be armed now. */
  get prepared(): string[] {
    return this.deviceIds.filter((deviceId) => this.lossOf(deviceId) === undefined);
  }

  /** Why a device can't take part now, or `undefined` if it can. */
  lossOf(deviceId: string): LockstepError | undefined {
    const start = this.#preparedStart.get(deviceId);
    const loss = this.#lossSince(deviceId, start);
    if (loss !== undefined || start !== undefined) return loss;
    return lost(deviceId, 'it is not prepared for this run');
  }

  /** Prepares devices; those that refuse are in the outcome. */
  async prepare(deviceIds: readonly string[]): Promise<CommandOutcome<'prepare'>[]> {
    return Promise.all(deviceIds.map((deviceId) => this.#prepareOne(deviceId)));
  }

  /** Waits until lost devices are back and prepared; returns those that are still lost. */
  async recover(signal: AbortSignal, onWait: (deviceIds: string[]) => void): Promise<string[]> {
    let missing = this.#missing();
    if (missing.length > 0) onWait(missing);
    const giveUpAtMs = performance.now() + RETURN_TIMEOUT_MS;
    while (missing.length > 0 && performance.now() < giveUpAtMs && !signal.aborted) {
      await this.#prepareIdle(missing);
      missing = this.#missing();
      if (missing.length > 0) await this.#nextPresence(signal);
    }
    return missing;
  }

  /** Prepares lost devices that are back, without waiting for any. */
  async welcomeBack(): Promise<void> {
    await this.#prepareIdle(this.#missing());
  }

  /**
   * Sends a command to devices at once and waits for every outcome; a device that is lost in the
   * meantime is not waited for. One that does not answer arm counts as lost until it is heard
   * again: otherwise, until its silence shows, every trial would fail at once on it.
   */
  async command<V extends CommandVerb>(
    target: {
      deviceIds: readonly string[];
      verb: V;
      timeoutMs: number;
      headers?: MessageHeaders;
    },
    messageFor: (deviceId: string) => CommandMessage<V>,
  ): Promise<CommandOutcome<V>[]> {
    const { deviceIds, ...command } = target;
    const { verb } = command;
    const outcomes = await Promise.all(
      deviceIds.map((deviceId) =>
        this.#untilLost(deviceId, this.#preparedStart.get(deviceId), () =>
          commandDevice(this.#bus, { deviceId, ...command }, messageFor(deviceId)),
        ),
      ),
    );
    for (const outcome of outcomes) {
      if (verb !== 'arm' || 'reply' in outcome || outcome.error.code !== 'DEVICE_LOST') continue;
      this.#unansweredAtMs.set(outcome.deviceId, Date.now());
    }
    return outcomes;
  }

  /** Watches for devices that are lost; calls back when something about one of them changed. */
  watch(onChange: () => void): () => void {
    return this.#watchEach((deviceId) => this.#isOfRun.has(deviceId), onChange);
  }

  #watchEach(isMeant: (deviceId: string) => boolean, onChange: () => void): () => void {
    const stopWatching = this.#registry.watch((presence) => {
      if (isMeant(presence.deviceId)) onChange();
    });
    const timer = setInterval(onChange, 1000);
    return () => {
      clearInterval(timer);
      stopWatching();
    };
  }

  #lossSince(deviceId: string, start: number | undefined): LockstepError | undefined {
    const presence = this.#presenceOf(deviceId);
    if (presence === undefined || !this.#registry.isOnline(deviceId)) {
      return lost(deviceId, 'it has not been heard lately');
    }
    if (this.#isSilent(deviceId)) return lost(deviceId, 'it did not answer');
    const isSame = start === undefined || start === presence.startedAtUtcMs;
    return isSame ? undefined : lost(deviceId, 'its agent was restarted');
  }

  #isSilent(deviceId: string): boolean {
    const unansweredAtMs = this.#unansweredAtMs.get(deviceId);
    if (unansweredAtMs === undefined) return false;
    const heardAtMs = this.#registry.get(deviceId)?.lastSeenAtUtcMs ?? 0;
    if (heardAtMs <= unansweredAtMs) return true;
    this.#unansweredAtMs.delete(deviceId);
    return false;
  }

  #missing(): string[] {
    return this.deviceIds.filter((deviceId) => this.lossOf(deviceId) !== undefined);
  }

  #presenceOf(deviceId: string): Presence | undefined {
    return this.#registry.get(deviceId)?.presence;
  }

  async #prepareIdle(deviceIds: readonly string[]): Promise<void> {
    const idle = deviceIds.filter(
      (deviceId) =>
        this.#registry.isOnline(deviceId) && this.#presenceOf(deviceId)?.state === 'idle',
    );
    await this.prepare(idle);
  }

  async #prepareOne(deviceId: string): Promise<CommandOutcome<'prepare'>> {
    const start = this.#presenceOf(deviceId)?.startedAtUtcMs;
    this.#preparedStart.delete(deviceId);
    const target = { deviceId, verb: 'prepare' as const, timeoutMs: PREPARE_TIMEOUT_MS };
    const outcome = await this.#untilLost(deviceId, start, () =>
      commandDevice(this.#bus, target, this.#prepare),
    );
    if ('reply' in outcome && start !== undefined) this.#preparedStart.set(deviceId, start);
    return outcome;
  }

  async #untilLost<V extends CommandVerb>(
    deviceId: string,
    start: number | undefined,
    ask: () => Promise<CommandReply<V>>,
  ): Promise<CommandOutcome<V>> {
    const loss = Promise.withResolvers<CommandOutcome<V>>();
    const onChange = (): void => {
      const error = this.#lossSince(deviceId, start);
      if (error !== undefined) loss.resolve({ deviceId, error });
    };
    const stopWatching = this.#watchEach((heard) => heard === deviceId, onChange);
    try {
      const answer = ask().then((reply) => ({ deviceId, reply }));
      return await Promise.race([answer, loss.promise]);
    } catch (error) {
      if (error instanceof LockstepError) return { deviceId, error };
      throw error;
    } finally {
      stopWatching();
    }
  }

  async #nextPresence(signal: AbortSignal): Promise<void> {
    const heard = Promise.withResolvers<undefined>();
    const proceed = (): void => {
      heard.resolve(undefined);
    };
    const stopWatching = this.watch(proceed);
    signal.addEventListener('abort', proceed, { once: true });
    try {
      await heard.promise;
    } finally {
      signal.removeEventListener('abort', proceed);
      stopWatching();
    }
  }
}

function lost(deviceId: string, reason: string): LockstepError {
  return new LockstepError('DEVICE_LOST', `device ${deviceId} was lost: ${reason}`, {
    hint: 'Check that its agent runs and reaches the coordinator.',
  });
}
