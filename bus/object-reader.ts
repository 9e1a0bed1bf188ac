import { jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import { z } from 'zod';
import { LockstepError } from '../schemas/errors.ts';
import type { Bus } from './bus.ts';
import { streamError } from './streams.ts';

// What NATS keeps about an object; the layout is that of its object store (ADR-20).
const ObjectEntry = z.object({
  nuid: z.string().regex(/^[A-Za-z0-9]{1,64}$/),
  size: z.int().min(0),
  chunks: z.int().min(0).max(1_000_000),
  deleted: z.boolean().optional(),
});
type ObjectEntry = z.output<typeof ObjectEntry>;

const GET_TIMEOUT_MS = 10_000;

/**
 * Reads objects of a NATS object store by direct get only: one request per chunk, and no consumer,
 * so that a reader needs no right to make one and a restart of the server stalls nothing.
 */
export class ObjectReader {
  readonly #bus: Bus;
  readonly #bucket: string;

  constructor(bus: Bus, bucket: string) {
    this.#bus = bus;
    this.#bucket = bucket;
  }

  /** Whether there is an object of that name. */
  async has(name: string): Promise<boolean> {
    return (await this.#entry(await this.#manager(), name)) !== undefined;
  }

  /**
   * The bytes of an object, chunk by chunk.
   *
   * @throws LockstepError ARTEFACT_MISSING if there is none, ARTEFACT_CORRUPT if chunks are
   * missing.
   */
  async *read(name: string): AsyncGenerator<Uint8Array, void, undefined> {
    const manager = await this.#manager();
    const entry = await this.#entry(manager, name);
    if (entry === undefined) {
      throw new LockstepError('ARTEFACT_MISSING', `${name} is not in the store ${this.#bucket}`, {
        hint: 'Publish it again: start the coordinator on a machine that has built it.',
      });
    }
    yield* this.#chunks(manager, name, entry);
  }

  async *#chunks(
    manager: JetStreamManager,
    name: string,
    { nuid, chunks, size }: ObjectEntry,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const subject = `$O.${this.#bucket}.C.${nuid}`;
    let next = 1;
    let receivedBytes = 0;
    for (let index = 0; index < chunks; index += 1) {
      const chunk = await this.#get(manager, { seq: next, next_by_subj: subject });
      if (chunk === undefined) break;
      next = chunk.seq + 1;
      receivedBytes += chunk.data.byteLength;
      yield chunk.data;
    }
    if (receivedBytes === size) return;
    throw new LockstepError(
      'ARTEFACT_CORRUPT',
      `the store ${this.#bucket} has ${receivedBytes} of ${size} bytes of ${name}`,
      { hint: 'Publish it again.' },
    );
  }

  async #entry(manager: JetStreamManager, name: string): Promise<ObjectEntry | undefined> {
    const encoded = Buffer.from(name).toString('base64url');
    // The store's own names keep the padding that Node's encoding leaves out.
    const padded = encoded.padEnd(Math.ceil(encoded.length / 4) * 4, '=');
    const subject = `$O.${this.#bucket}.M.${padded}`;
    const found = await this.#get(manager, { last_by_subj: subject });
    if (found === undefined) return undefined;
    const entry = ObjectEntry.safeParse(parseJson(found.data));
    if (!entry.success) {
      throw new LockstepError('ARTEFACT_CORRUPT', `the entry of ${name} in the store is damaged`, {
        hint: 'Publish it again.',
      });
    }
    return entry.data.deleted === true ? undefined : entry.data;
  }

  async #get(
    manager: JetStreamManager,
    query: { seq: number; next_by_subj: string } | { last_by_subj: string },
  ): Promise<{ data: Uint8Array; seq: number } | undefined> {
    try {
      const stored = await manager.direct.getMessage(`OBJ_${this.#bucket}`, query);
      return stored === null ? undefined : { data: stored.data, seq: stored.seq };
    } catch (error) {
      throw streamError(error, `reading stream of store ${this.#bucket}`);
    }
  }

  async #manager(): Promise<JetStreamManager> {
    return jetstreamManager(this.#bus.connection, { checkAPI: false, timeout: GET_TIMEOUT_MS });
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
