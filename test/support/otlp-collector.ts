import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { decodeRequest } from '../../telemetry/otlp/export-request.ts';
import type { JsonMessage } from '../../telemetry/otlp/decode-message.ts';
import { SIGNALS } from '../../telemetry/payload.ts';
import type { Signal } from '../../telemetry/payload.ts';

/** A span as an endpoint has it. */
export interface CollectedSpan {
  readonly service: string;
  readonly deviceId: string | undefined;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly startUtcNs: bigint;
  readonly endUtcNs: bigint;
  readonly attributes: Readonly<Record<string, string>>;
}

/** An OTLP endpoint over HTTP that keeps what it gets, as decoded by Lockstep's own reader. */
export class OtlpCollector {
  readonly url: string;
  readonly requests: Readonly<Record<Signal, JsonMessage[]>> = {
    traces: [],
    metrics: [],
    logs: [],
  };

  private constructor(url: string) {
    this.url = url;
  }

  /** Starts one on a free port; it is gone after the test. */
  static async start(t: { teardown(undo: () => void): void }): Promise<OtlpCollector> {
    const server = createServer((request, response) => {
      void collector.#take(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const collector = new OtlpCollector(`http://127.0.0.1:${port}`);
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return collector;
  }

  /** All spans so far. */
  spans(): CollectedSpan[] {
    return this.requests.traces.flatMap((request) =>
      list(request['resourceSpans']).flatMap((part) => {
        const resource = attributesOf(message(part['resource']));
        const spans = list(part['scopeSpans']).flatMap((scope) => list(scope['spans']));
        return spans.map((span) => ({
          service: resource['service.name'] ?? '',
          deviceId: resource['device.id'],
          name: text(span['name']),
          traceId: text(span['traceId']),
          spanId: text(span['spanId']),
          parentSpanId: text(span['parentSpanId']),
          startUtcNs: BigInt(text(span['startTimeUnixNano'])),
          endUtcNs: BigInt(text(span['endTimeUnixNano'])),
          attributes: attributesOf(span),
        }));
      }),
    );
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const signal = SIGNALS.find((name) => request.url?.endsWith(`/v1/${name}`) === true);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const isGzip = request.headers['content-encoding'] === 'gzip';
    if (signal === undefined) return void response.writeHead(404).end();
    this.requests[signal].push(decodeRequest(signal, isGzip ? gunzipSync(body) : body));
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  }
}

function list(value: unknown): JsonMessage[] {
  return Array.isArray(value) ? (value as JsonMessage[]) : [];
}

function message(value: unknown): JsonMessage {
  return typeof value === 'object' && value !== null ? (value as JsonMessage) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function attributesOf(of: JsonMessage): Record<string, string> {
  return Object.fromEntries(
    list(of['attributes']).map((one) => {
      const [value] = Object.values(message(one['value']));
      return [text(one['key']), typeof value === 'string' ? value : JSON.stringify(value ?? '')];
    }),
  );
}
