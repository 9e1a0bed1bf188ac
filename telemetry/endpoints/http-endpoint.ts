import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { errorMessageOf, LockstepError } from '../../schemas/errors.ts';
import { VERSION } from '../../schemas/version.ts';
import { decodeResponse, decodeStatus, parseResponse } from '../otlp/export-response.ts';
import type { RemoteStatus } from '../otlp/export-response.ts';
import type { Delivery, Payload, Signal } from '../payload.ts';
import { withDeadline } from './deadline.ts';
import { acceptedBy, excerpt, parseRetryAfter, retryAfter } from './endpoint-answer.ts';
import type { EndpointRoute } from './endpoint-settings.ts';
import { bodyOf } from './payload-body.ts';
import type { Route } from './route.ts';
import type { TlsMaterial } from './tls-material.ts';

const ANSWER_BYTES_MAX = 65_536;
const CONNECTIONS_MAX = 8;
const RETRYABLE = new Set([429, 502, 503, 504]);
const CONTENT_TYPES = {
  'http/protobuf': 'application/x-protobuf',
  'http/json': 'application/json',
} as const;
type HttpProtocol = keyof typeof CONTENT_TYPES;

/** What an endpoint answered. */
interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Its start if it is too long. */
  readonly body: Buffer;
  readonly isTooLong: boolean;
}

/**
 * Sends payloads over HTTP, on connections that stay open. Redirects are not followed.
 * Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
export class HttpRoute implements Route {
  readonly #settings: EndpointRoute & { readonly protocol: HttpProtocol };
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #isTls: boolean;

  constructor(settings: EndpointRoute & { readonly protocol: HttpProtocol }, tls: TlsMaterial) {
    this.#settings = settings;
    this.#isTls = new URL(settings.url).protocol === 'https:';
    const options = { keepAlive: true, maxSockets: CONNECTIONS_MAX };
    this.#agent = this.#isTls ? new HttpsAgent({ ...options, ...tls }) : new HttpAgent(options);
  }

  async send(payload: Payload, signal: AbortSignal): Promise<Delivery> {
    let body: Uint8Array;
    try {
      body = await bodyOf(payload, this.#settings);
    } catch (error) {
      return { outcome: 'refused', message: `the payload is damaged: ${errorMessageOf(error)}` };
    }
    const answer = await withDeadline(this.#settings.timeoutMs, signal, (inner) =>
      this.#exchange(body, inner),
    );
    return deliveryOf(answer, payload.signal, this.#settings.protocol);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #exchange(body: Uint8Array, signal: AbortSignal): Promise<Answer> {
    for (;;) {
      const request = this.#start(body, signal);
      try {
        return await answerTo(request, body);
      } catch (error) {
        // The endpoint had closed the connection that lay idle: that is no failure of it.
        if (!request.reusedSocket || !isHungUp(error) || signal.aborted) throw error;
      }
    }
  }

  #start(body: Uint8Array, signal: AbortSignal): ClientRequest {
    const { url, protocol, compression, headers } = this.#settings;
    const options = {
      method: 'POST',
      agent: this.#agent,
      signal,
      headers: {
        'user-agent': `lockstep/${VERSION}`,
        accept: CONTENT_TYPES[protocol],
        ...headers,
        'content-type': CONTENT_TYPES[protocol],
        'content-length': body.length,
        ...(compression === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
      },
    };
    return this.#isTls ? requestHttps(url, options) : requestHttp(url, options);
  }
}

function answerTo(request: ClientRequest, body: Uint8Array): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  // It stays: a connection may break more than once, and nobody else listens.
  request.on('error', reject);
  request.once('response', (response) => {
    readAnswer(response).then(resolve, reject);
  });
  request.end(body);
  return promise;
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    sizeBytes += part.length;
    // To leave the loop ends the connection.
    if (sizeBytes > ANSWER_BYTES_MAX) break;
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(parts).subarray(0, ANSWER_BYTES_MAX),
    isTooLong: sizeBytes > ANSWER_BYTES_MAX,
  };
}

function isHungUp(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function deliveryOf(answer: Answer, signal: Signal, protocol: HttpProtocol): Delivery {
  const { status, headers } = answer;
  if (status >= 200 && status < 300) return acceptance(answer, signal, protocol);
  if (status >= 300 && status < 400) {
    return { outcome: 'refused', message: `answered ${status}: redirects are not followed` };
  }
  const said = saidIn(answer);
  const message = `answered ${status}${said.message === '' ? '' : `: ${said.message}`}`;
  if (!RETRYABLE.has(status)) return { outcome: 'refused', message };
  const wishMs = parseRetryAfter(headers['retry-after'], Date.now()) ?? said.retryAfterMs;
  return retryAfter(message, wishMs);
}

function acceptance(answer: Answer, signal: Signal, protocol: HttpProtocol): Delivery {
  const { body, isTooLong } = answer;
  // The payload was taken; to send it again would double it.
  if (isTooLong) {
    const message = `the answer is longer than ${ANSWER_BYTES_MAX} bytes and was not read`;
    return { outcome: 'accepted', rejected: 0, message };
  }
  if (body.length === 0) return { outcome: 'accepted', rejected: 0 };
  const isJson = (kindOf(answer) ?? CONTENT_TYPES[protocol]) === CONTENT_TYPES['http/json'];
  try {
    return acceptedBy(isJson ? parseResponse(body.toString('utf8')) : decodeResponse(signal, body));
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    return { outcome: 'accepted', rejected: 0, message: `the answer is damaged: ${error.message}` };
  }
}

function saidIn(answer: Answer): RemoteStatus {
  if (kindOf(answer) === CONTENT_TYPES['http/protobuf'] && !answer.isTooLong) {
    try {
      const status = decodeStatus(answer.body);
      return { ...status, message: excerpt(status.message) };
    } catch {
      // What it says can't be read; that it said no counts.
      return { message: '' };
    }
  }
  return { message: excerpt(answer.body.toString('utf8')) };
}

function kindOf({ headers }: Answer): string | undefined {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  return Object.values(CONTENT_TYPES).find((known) => known === type);
}
