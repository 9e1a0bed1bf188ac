import { setTimeout as delay } from 'node:timers/promises';
import { StorageType } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { KV, KvWatchEntry } from '@nats-io/kv';
import type { QueuedIterator } from 'nats';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { errorMessageOf } from '../schemas/errors.ts';
import { backOffMs } from './back-off.ts';
import type { Bus, Listening } from './bus.ts';
import { streamError } from './streams.ts';
import { decodeFromBytes, encodeToBytes } from './wire-format.ts';
import type { MessageOf } from './wire-format.ts';

/** What a bucket holds. */
export interface BucketDefinition<S extends z.ZodType> {
  bucket: string;
  schema: S;
  /** Bound of the bucket, bytes. Default 64 MiB. */
  maxBytes?: number;
  logger?: Logger;
}

/** One change that {@link KeyValue.watch} tells; value is absent when the key was deleted. */
export interface KeyChange<T> {
  key: string;
  value: T | undefined;
}

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const WATCH_RETRY = { baseMs: 200, capMs: 5000 };

/**
 * Opens a bucket, and creates it if it is not there.
 *
 * @param options.create false: the user may not create it; it must exist
 */
export async function openBucket<S extends z.ZodType>(
  bus: Bus,
  definition: BucketDefinition<S>,
  { create = true }: { create?: boolean } = {},
): Promise<KeyValue<S>> {
  const { bucket, maxBytes = DEFAULT_MAX_BYTES } = definition;
  try {
    const manager = new Kvm(bus.connection);
    const kv = create
      ? await manager.create(bucket, {
          history: 1,
          storage: StorageType.File,
          max_bytes: maxBytes,
          allow_direct: true,
        })
      : await manager.open(bucket, { allow_direct: true });
    return new KeyValue(kv, definition);
  } catch (error) {
    throw streamError(error, `opening bucket ${bucket}`);
  }
}

/** A bucket of checked values, one per key; keys are identifiers. */
export class KeyValue<S extends z.ZodType> {
  readonly #kv: KV;
  readonly #definition: BucketDefinition<S>;

  constructor(kv: KV, definition: BucketDefinition<S>) {
    this.#kv = kv;
    this.#definition = definition;
  }

  /** Stores a value; resolves with its revision when the server has it. */
  async put(key: string, value: MessageOf<S>): Promise<number> {
    const bytes = encodeToBytes(this.#definition.schema, value);
    return this.#guard(`writing key ${key}`, async () => this.#kv.put(key, bytes));
  }

  /** The value of a key. Absent (undefined) if there is none or it was deleted. */
  async get(key: string): Promise<z.output<S> | undefined> {
    return this.#guard(`reading key ${key}`, async () => {
      const entry = await this.#kv.get(key);
      if (entry?.operation !== 'PUT') return undefined;
      return this.#decode(key, entry.value);
    });
  }

  /** All values by key. Values that cannot be read are logged and left out. */
  async list(): Promise<Map<string, z.output<S>>> {
    return this.#guard('listing keys', async () => {
      const keys: string[] = [];
      for await (const key of await this.#kv.keys()) keys.push(key);
      const values = new Map<string, z.output<S>>();
      for (const key of keys.sort()) {
        const value = await this.get(key).catch((error: unknown) => {
          this.#skip(key, error);
        });
        if (value !== undefined) values.set(key, value);
      }
      return values;
    });
  }

  /** Deletes a key. */
  async delete(key: string): Promise<void> {
    await this.#guard(`deleting key ${key}`, async () => this.#kv.delete(key));
  }

  /**
   * Tells every key's value now, then every change, in order per key, until closed. Goes on by
   * itself after an interruption; it may then tell a value again.
   */
  async watch(
    listener: (change: KeyChange<z.output<S>>) => void | Promise<void>,
  ): Promise<Listening> {
    const stopping = new AbortController();
    const first = await this.#guard('watching', async () => this.#kv.watch());
    const ended = this.#follow(first, listener, stopping.signal);
    return {
      close: async () => {
        stopping.abort();
        await Promise.race([ended, delay(3000, undefined, { ref: false })]);
      },
    };
  }

  async #follow(
    first: QueuedIterator<KvWatchEntry>,
    listener: (change: KeyChange<z.output<S>>) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    let entries: QueuedIterator<KvWatchEntry> | undefined = first;
    const stop = (): void => entries?.stop();
    signal.addEventListener('abort', stop, { once: true });
    for (let failures = 1; !isAborted(signal); failures += 1) {
      try {
        entries ??= await this.#kv.watch();
        for await (const entry of entries) {
          await this.#tell(entry, listener);
          if (isAborted(signal)) return;
        }
      } catch (error) {
        this.#definition.logger?.warn(
          { bucket: this.#definition.bucket, error: errorMessageOf(error) },
          'watching interrupted',
        );
      }
      entries = undefined;
      await delay(backOffMs(failures, WATCH_RETRY), undefined, { signal }).catch(() => undefined);
    }
  }

  async #tell(
    entry: KvWatchEntry,
    listener: (change: KeyChange<z.output<S>>) => void | Promise<void>,
  ): Promise<void> {
    try {
      const value = entry.operation === 'PUT' ? this.#decode(entry.key, entry.value) : undefined;
      await listener({ key: entry.key, value });
    } catch (error) {
      this.#skip(entry.key, error);
    }
  }

  #decode(key: string, bytes: Uint8Array): z.output<S> {
    const { bucket, schema } = this.#definition;
    return decodeFromBytes(schema, bytes, `key ${key} of bucket ${bucket}`);
  }

  #skip(key: string, error: unknown): void {
    this.#definition.logger?.warn(
      { bucket: this.#definition.bucket, key, error: errorMessageOf(error) },
      'key passed over',
    );
  }

  async #guard<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw streamError(error, `${what} of bucket ${this.#definition.bucket}`);
    }
  }
}

// A function, because the compiler takes a flag that it has seen to stay as it was.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
