import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  jetstream,
  jetstreamManager,
  JetStreamApiError,
  JetStreamError,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import type { JetStreamManager, StreamConfig } from '@nats-io/jetstream';
import { headers, nanos } from 'nats';
import { isDeepStrictEqual } from 'node:util';
import { errorMessageOf, LockstepError } from '../schemas/errors.ts';
import {
  LEDGER_STREAM,
  LEDGER_WILDCARD,
  RESULTS_STREAM,
  RESULT_WILDCARD,
  SAMPLES_STREAM,
  SAMPLES_WILDCARD,
  TELEMETRY_STREAM,
  TELEMETRY_WILDCARD,
} from '../schemas/subjects.ts';
import type { Bus } from './bus.ts';
import { busError } from './bus-error.ts';
import { checkMessageSize, MAX_MESSAGE_BYTES } from './wire-format.ts';

/** A stream as it must be: every setting named here is compared with what the server keeps. */
export type StreamDefinition = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects'>;

/** The oldest nats-server whose streams keep what is asked of them; its older ones have holes. */
const MINIMUM_SERVER = [2, 10, 27] as const;

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
const API_TIMEOUT_MS = 5000;

const keptOnDisk = {
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  max_msg_size: MAX_MESSAGE_BYTES,
  allow_direct: true,
  // As long as a device may be cut off and still repeat a message without doubling it.
  duplicate_window: nanos(DAY_MS / 4),
} as const;

/** Results of all devices. When it is full it refuses more: devices keep theirs in the outbox. */
export const RESULTS: StreamDefinition = {
  ...keptOnDisk,
  name: RESULTS_STREAM,
  subjects: [RESULT_WILDCARD],
  discard: DiscardPolicy.New,
  max_bytes: 4096 * MIB,
  max_age: nanos(30 * DAY_MS),
};

/** The events of all runs. */
export const LEDGER: StreamDefinition = {
  ...keptOnDisk,
  name: LEDGER_STREAM,
  subjects: [LEDGER_WILDCARD],
  discard: DiscardPolicy.New,
  max_bytes: 1024 * MIB,
  max_age: nanos(90 * DAY_MS),
};

/**
 * Samples of all devices, until the recorder has them on disk. When it is full it refuses more:
 * devices keep theirs in the outbox.
 */
export const SAMPLES: StreamDefinition = {
  ...keptOnDisk,
  name: SAMPLES_STREAM,
  subjects: [SAMPLES_WILDCARD],
  retention: RetentionPolicy.Workqueue,
  discard: DiscardPolicy.New,
  max_bytes: 4096 * MIB,
  max_age: nanos(30 * DAY_MS),
};

/**
 * OTLP on its way to the endpoints of the relay. Kept until every endpoint has it, and not at all
 * while there is none; when it is full the oldest goes, and the relay counts what it missed.
 */
export const TELEMETRY: StreamDefinition = {
  ...keptOnDisk,
  name: TELEMETRY_STREAM,
  subjects: [TELEMETRY_WILDCARD],
  retention: RetentionPolicy.Interest,
  discard: DiscardPolicy.Old,
  max_bytes: 2048 * MIB,
  max_age: nanos(7 * DAY_MS),
};

/**
 * Creates or updates a stream, then compares what the server keeps with what was asked: an old
 * server drops settings that it doesn't know without a word.
 *
 * @throws LockstepError TOOL_MISSING if the server is too old; BUS_UNAVAILABLE if it keeps another
 * setting; STORAGE_FULL if its JetStream limits leave no room; BUS_DENIED.
 */
export async function ensureStream(bus: Bus, definition: StreamDefinition): Promise<void> {
  checkServerVersion(bus.serverVersion);
  const what = `setting up stream ${definition.name}`;
  try {
    const manager = await managerOf(bus);
    const kept = await createOrUpdate(manager, definition);
    compareSettings(definition, kept);
  } catch (error) {
    throw streamError(error, what);
  }
}

/** Where {@link publishDurable} stored a message. */
export interface StoredAt {
  /** Sequence in the stream, from 1. */
  sequence: number;
  /** True if the stream already had a message with this id, and kept that one. */
  isDuplicate: boolean;
}

/**
 * Stores a message in the stream that its subject belongs to; resolves when the server has it on
 * disk (as `sync_interval` says). Does not retry: see the outbox for that.
 *
 * @param options.id the message id: a second message with it is dropped by the stream
 * @param options.headers are stored with it
 * @param options.lastSubjectSequence if given, fails with CANCELLED when the subject's last message
 * is another one (0: none yet)
 */
export async function publishDurable(
  bus: Bus,
  subject: string,
  bytes: Uint8Array,
  options: {
    id: string;
    timeoutMs?: number;
    headers?: Readonly<Record<string, string>>;
    lastSubjectSequence?: number;
  },
): Promise<StoredAt> {
  checkMessageSize(bytes.byteLength, bus.maxMessageBytes);
  const { id, timeoutMs = API_TIMEOUT_MS, lastSubjectSequence } = options;
  const messageHeaders = headers();
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    messageHeaders.set(name, value);
  }
  try {
    const ack = await jetstream(bus.connection).publish(subject, bytes, {
      msgID: id,
      timeout: timeoutMs,
      headers: messageHeaders,
      ...(lastSubjectSequence === undefined
        ? {}
        : { expect: { lastSubjectSequence: lastSubjectSequence } }),
    });
    return { sequence: ack.seq, isDuplicate: ack.duplicate };
  } catch (error) {
    throw streamError(error, `storing message ${id} on stream subject ${subject}`);
  }
}

/** A message that a stream keeps. */
export interface StreamMessage {
  subject: string;
  data: Uint8Array;
  /** Sequence in the stream, from 1; gaps are possible. */
  sequence: number;
}

/**
 * All messages of a subject (wildcards allowed) that the stream holds when it is called, in order.
 * Messages are asked for one by one, so nothing is left behind on the server if the caller stops.
 *
 * @param options.maxMessages bound; more are an error. Default 1 000 000.
 * @param options.afterSequence only messages after this one
 */
export async function* readStream(
  bus: Bus,
  stream: string,
  subject: string,
  options: { maxMessages?: number; afterSequence?: number } = {},
): AsyncGenerator<StreamMessage, void, undefined> {
  const { maxMessages = 1_000_000, afterSequence = 0 } = options;
  const what = `reading stream ${stream}`;
  try {
    const manager = await managerOf(bus);
    let next = afterSequence + 1;
    for (let count = 0; ; count += 1) {
      const stored = await manager.direct.getMessage(stream, { seq: next, next_by_subj: subject });
      if (stored === null) return;
      if (count >= maxMessages) {
        throw new LockstepError(
          'MESSAGE_INVALID',
          `stream ${stream} holds more than ${maxMessages} messages on ${subject}`,
        );
      }
      yield { subject: stored.subject, data: stored.data, sequence: stored.seq };
      next = stored.seq + 1;
    }
  } catch (error) {
    throw streamError(error, what);
  }
}

/** JetStream's error code of a consumer that exists with other settings (JSConsumerExists). */
const CONSUMER_EXISTS = 10148;

/**
 * Makes sure that a durable consumer exists: in order, explicit acks, so many messages at a time.
 */
export async function ensureConsumer(
  bus: Bus,
  {
    stream,
    consumer,
    ackWaitMs,
    maxInFlight = 1,
  }: { stream: string; consumer: string; ackWaitMs: number; maxInFlight?: number },
): Promise<void> {
  const settings = {
    ack_wait: nanos(ackWaitMs),
    max_ack_pending: maxInFlight,
    max_deliver: -1,
  };
  try {
    const manager = await managerOf(bus);
    try {
      await manager.consumers.add(stream, {
        durable_name: consumer,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.All,
        ...settings,
      });
    } catch (error) {
      // An earlier release made it with other settings; what it remembers must stay.
      if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_EXISTS) throw error;
      await manager.consumers.update(stream, consumer, settings);
    }
  } catch (error) {
    throw streamError(error, `setting up consumer ${consumer} of stream ${stream}`);
  }
}

/** Maps what JetStream answered to a {@link LockstepError}. */
export function streamError(error: unknown, what: string): LockstepError {
  if (error instanceof LockstepError) return error;
  const text = `${what} failed: ${errorMessageOf(error)}`;
  if (error instanceof JetStreamApiError) {
    const [code, hint] = API_ERRORS.get(error.code) ?? ['BUS_UNAVAILABLE', undefined];
    return new LockstepError(code, text, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  if (error instanceof JetStreamError || /jetstream is not enabled/i.test(text)) {
    return new LockstepError('BUS_UNAVAILABLE', text, {
      hint: 'JetStream may be starting or electing a leader; try again shortly.',
      cause: error,
    });
  }
  return busError(error, what);
}

const FULL_HINT = 'Remove old runs from the server or give it more disk.';
// Numbers of the server's error list, errors.json of nats-server.
const API_ERRORS = new Map<
  number,
  ['STORAGE_FULL' | 'NOT_FOUND' | 'CANCELLED' | 'MESSAGE_INVALID', string]
>([
  [10014, ['NOT_FOUND', 'The consumer does not exist; start the coordinator once.']],
  [10023, ['STORAGE_FULL', FULL_HINT]],
  [10028, ['STORAGE_FULL', FULL_HINT]],
  [10047, ['STORAGE_FULL', FULL_HINT]],
  [10054, ['MESSAGE_INVALID', 'Send less in one message.']],
  [10059, ['NOT_FOUND', 'The stream does not exist; start the coordinator once.']],
  [10071, ['CANCELLED', 'Another process wrote first; read again.']],
  [10077, ['STORAGE_FULL', FULL_HINT]],
]);

/** The client's interface to streams and consumers; for the other files of this folder. */
export async function managerOf(bus: Bus): Promise<JetStreamManager> {
  return jetstreamManager(bus.connection, { checkAPI: false, timeout: API_TIMEOUT_MS });
}

async function createOrUpdate(
  manager: JetStreamManager,
  definition: StreamDefinition,
): Promise<StreamConfig> {
  try {
    const existing = await manager.streams.info(definition.name);
    if (differingSettings(definition, existing.config).length === 0) return existing.config;
    return (await manager.streams.update(definition.name, definition)).config;
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== 10059) throw error;
    return (await manager.streams.add(definition)).config;
  }
}

function compareSettings(asked: StreamDefinition, kept: StreamConfig): void {
  const differing = differingSettings(asked, kept);
  if (differing.length === 0) return;
  throw new LockstepError(
    'BUS_UNAVAILABLE',
    `the NATS server keeps stream ${asked.name} with another ${differing.join(', ')}`,
    { hint: `Use nats-server ${MINIMUM_SERVER.join('.')} or newer, or remove the old stream.` },
  );
}

function differingSettings(asked: StreamDefinition, kept: StreamConfig): string[] {
  const keptSettings = kept as unknown as Record<string, unknown>;
  return Object.entries(asked)
    .filter(([setting, value]) => !isDeepStrictEqual(value, keptSettings[setting]))
    .map(([setting, value]) => {
      const other = JSON.stringify(keptSettings[setting] ?? null);
      return `${setting} (${other} instead of ${JSON.stringify(value)})`;
    });
}

function checkServerVersion(version: string | undefined): void {
  const parts = /^(\d+)\.(\d+)\.(\d+)/
    .exec(version ?? '')
    ?.slice(1)
    .map(Number);
  if (parts !== undefined && compareParts(parts, MINIMUM_SERVER) >= 0) return;
  throw new LockstepError(
    'TOOL_MISSING',
    `nats-server ${version ?? '(unknown version)'} is too old`,
    { hint: `Use nats-server ${MINIMUM_SERVER.join('.')} or newer.` },
  );
}

function compareParts(left: readonly number[], right: readonly number[]): number {
  const index = left.findIndex((part, position) => part !== right[position]);
  return index < 0 ? 0 : (left[index] ?? 0) - (right[index] ?? 0);
}
