import { VERSION } from '../../schemas/version.ts';
import { errorMessageOf } from '../../schemas/errors.ts';
import { decodeResponse, decodeStatus } from '../otlp/export-response.ts';
import type { RemoteStatus } from '../otlp/export-response.ts';
import type { Delivery, Payload, Signal } from '../payload.ts';
import { withDeadline } from './deadline.ts';
import { acceptedBy, excerpt, retryAfter } from './endpoint-answer.ts';
import type { EndpointRoute } from './endpoint-settings.ts';
import { requestOf } from './payload-body.ts';
import type { Route } from './route.ts';
import type { TlsMaterial } from './tls-material.ts';

// Loaded when something is sent, since most processes never speak gRPC.
type Grpc = typeof import('@grpc/grpc-js');
type Client = InstanceType<Grpc['Client']>;
type Metadata = InstanceType<Grpc['Metadata']>;

const ANSWER_BYTES_MAX = 65_536;
const RECONNECT_MS_MAX = 5000;
const PACKAGE = 'opentelemetry.proto.collector';
const METHODS: Readonly<Record<Signal, string>> = {
  traces: `/${PACKAGE}.trace.v1.TraceService/Export`,
  metrics: `/${PACKAGE}.metrics.v1.MetricsService/Export`,
  logs: `/${PACKAGE}.logs.v1.LogsService/Export`,
};
/** Codes after which the protocol wants it sent again; the exhausted only if they say when. */
const RETRYABLE: ReadonlySet<string> = new Set([
  ...['CANCELLED', 'DEADLINE_EXCEEDED', 'ABORTED', 'OUT_OF_RANGE', 'UNAVAILABLE', 'DATA_LOSS'],
]);
const EXHAUSTED = 'RESOURCE_EXHAUSTED';

interface Connection {
  readonly grpc: Grpc;
  readonly client: Client;
  readonly metadata: Metadata;
}

/** How a call ended. */
interface CallEnd {
  readonly code: string;
  readonly details: string;
  readonly status: RemoteStatus;
  /** The answer, if there is one. */
  readonly body?: Buffer;
}

/**
 * Sends payloads over gRPC.
 * Source: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
 */
export class GrpcRoute implements Route {
  readonly #settings: EndpointRoute;
  readonly #tls: TlsMaterial;
  #connection: Promise<Connection> | undefined;
  #isClosed = false;

  constructor(settings: EndpointRoute, tls: TlsMaterial) {
    this.#settings = settings;
    this.#tls = tls;
  }

  async send(payload: Payload, signal: AbortSignal): Promise<Delivery> {
    let request: Buffer;
    try {
      request = await requestOf(payload);
    } catch (error) {
      return { outcome: 'refused', message: `the payload is damaged: ${errorMessageOf(error)}` };
    }
    const end = await withDeadline(this.#settings.timeoutMs, signal, async (inner) => {
      this.#connection ??= this.#connect();
      const connection = await this.#connection;
      inner.throwIfAborted();
      return call(connection, METHODS[payload.signal], request, inner);
    });
    return deliveryOf(end, payload.signal);
  }

  close(): void {
    this.#isClosed = true;
    const ending = this.#connection?.then(({ client }) => {
      client.close();
    });
    ending?.catch(() => undefined);
  }

  async #connect(): Promise<Connection> {
    const grpc = await import('@grpc/grpc-js');
    if (this.#isClosed) throw new Error('the endpoint is closed');
    const { url, headers, compression } = this.#settings;
    const { protocol, hostname, port } = new URL(url);
    const isTls = protocol === 'https:';
    const { ca = null, key = null, cert = null } = this.#tls;
    const credentials = isTls
      ? grpc.credentials.createSsl(ca, key, cert)
      : grpc.credentials.createInsecure();
    const address = `${hostname}:${port === '' ? (isTls ? 443 : 80) : port}`;
    const client = new grpc.Client(address, credentials, {
      'grpc.primary_user_agent': `lockstep/${VERSION}`,
      'grpc.max_receive_message_length': ANSWER_BYTES_MAX,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MS_MAX,
      // Those who call repeat, and know how often they did.
      'grpc.enable_retries': 0,
      // As over HTTP: the address that was given is the one that is asked.
      'grpc.enable_http_proxy': 0,
      ...(compression === 'gzip'
        ? { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip }
        : {}),
    });
    return { grpc, client, metadata: metadataOf(grpc, headers) };
  }
}

function metadataOf(grpc: Grpc, headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase();
    metadata.set(key, key.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  }
  return metadata;
}

function call(
  { grpc, client, metadata }: Connection,
  method: string,
  request: Buffer,
  signal: AbortSignal,
): Promise<CallEnd> {
  const { promise, resolve } = Promise.withResolvers<CallEnd>();
  const asItIs = (bytes: Buffer): Buffer => bytes;
  const going = client.makeUnaryRequest(
    method,
    asItIs,
    asItIs,
    request,
    metadata,
    (error, body) => {
      signal.removeEventListener('abort', cancel);
      if (error === null) {
        resolve({ code: 'OK', details: '', status: { message: '' }, ...(body ? { body } : {}) });
      } else {
        const status = statusIn(error.metadata);
        resolve({ code: grpc.status[error.code], details: error.details, status });
      }
    },
  );
  const cancel = (): void => {
    going.cancel();
  };
  signal.addEventListener('abort', cancel, { once: true });
  return promise;
}

function statusIn(metadata: Metadata): RemoteStatus {
  const [details] = metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(details)) return { message: '' };
  try {
    return decodeStatus(details);
  } catch {
    // What it says beside the code can't be read; the code counts.
    return { message: '' };
  }
}

function deliveryOf({ code, details, status, body }: CallEnd, signal: Signal): Delivery {
  if (code === 'OK') {
    try {
      return acceptedBy(decodeResponse(signal, body ?? new Uint8Array()));
    } catch (error) {
      const message = `the answer is damaged: ${errorMessageOf(error)}`;
      return { outcome: 'accepted', rejected: 0, message };
    }
  }
  const said = excerpt(details === '' ? status.message : details);
  const message = `answered ${code}${said === '' ? '' : `: ${said}`}`;
  const isWished = code === EXHAUSTED && status.retryAfterMs !== undefined;
  if (!RETRYABLE.has(code) && !isWished) return { outcome: 'refused', message };
  return retryAfter(message, status.retryAfterMs);
}
