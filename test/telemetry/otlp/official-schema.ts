import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import protobuf from 'protobufjs';
import type { Signal } from '../../../telemetry/payload.ts';
import { testServersFor } from '../../support/test-servers.ts';

const SERVICES = {
  traces: { file: 'trace', request: 'trace.v1.ExportTraceServiceRequest' },
  metrics: { file: 'metrics', request: 'metrics.v1.ExportMetricsServiceRequest' },
  logs: { file: 'logs', request: 'logs.v1.ExportLogsServiceRequest' },
} as const;

/** The .proto files of OpenTelemetry; undefined if the set-up for the tests has not got them. */
export class OfficialSchema {
  readonly root: protobuf.Root;

  private constructor(folder: string) {
    this.root = new protobuf.Root();
    this.root.resolvePath = (_, target) => join(folder, target);
    const files = Object.values(SERVICES).map(
      ({ file }) => `opentelemetry/proto/collector/${file}/v1/${file}_service.proto`,
    );
    this.root.loadSync(files, { keepCase: false });
  }

  static load(t: ExecutionContext): OfficialSchema | undefined {
    const found = testServersFor(t, 'opentelemetryProto');
    return found === undefined ? undefined : new OfficialSchema(found.opentelemetryProto);
  }

  /** The type of an export request. */
  requestType(signal: Signal): protobuf.Type {
    return this.root.lookupType(`opentelemetry.proto.collector.${SERVICES[signal].request}`);
  }

  /**
   * Decodes a request into plain data: whole numbers of 64 bits and enumerations as text, bytes as
   * they are. Throws where the bytes have a field that the schema lacks.
   */
  decode(signal: Signal, bytes: Uint8Array): Record<string, unknown> {
    const type = this.requestType(signal);
    const message = type.decode(bytes);
    const unknown = findUnknown(message, type.name);
    if (unknown !== undefined) throw new Error(`${unknown} has fields that are not in the schema`);
    return type.toObject(message, { longs: String, enums: String });
  }
}

function findUnknown(value: unknown, path: string): string | undefined {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return undefined;
  if ('$unknowns' in value) return path;
  for (const [key, inner] of Object.entries(value)) {
    const found = findUnknown(inner, `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
