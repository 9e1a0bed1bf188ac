import { z } from 'zod';
import { SIGNALS } from '../payload.ts';

/** Ways to speak OTLP, by the names that OpenTelemetry has for them. */
export const PROTOCOLS = ['http/protobuf', 'http/json', 'grpc'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** What may be done to what is sent. */
export const COMPRESSIONS = ['gzip', 'none'] as const;

/** How long an endpoint may take to answer, ms, where nothing else is said. */
export const TIMEOUT_MS_DEFAULT = 10_000;
/** The longest that can be asked for, ms. */
export const TIMEOUT_MS_MAX = 600_000;

/** What may be the name of an endpoint. */
export const ENDPOINT_NAME = /^[A-Za-z0-9_-]{1,64}$/;

const TlsFiles = z.strictObject({
  /** Authorities to trust in place of those of the system, PEM. */
  caFile: z.string().min(1).optional(),
  /** Certificate to show, PEM, and its key. */
  certificateFile: z.string().min(1).optional(),
  keyFile: z.string().min(1).optional(),
});
/** Paths of what a connection with TLS needs. */
export type TlsFiles = z.output<typeof TlsFiles>;

/** Where the payloads of one signal go, and how. */
const EndpointRoute = z.strictObject({
  /** As it is asked. Over gRPC only scheme, host and port count; http means without TLS. */
  url: z.url({ protocol: /^https?$/ }),
  protocol: z.enum(PROTOCOLS),
  /** To be sent with every request; values may be secrets. */
  headers: z.record(z.string(), z.string()),
  compression: z.enum(COMPRESSIONS),
  timeoutMs: z.int().min(1).max(TIMEOUT_MS_MAX),
  tls: TlsFiles,
});
export type EndpointRoute = z.output<typeof EndpointRoute>;

/** An OTLP endpoint. It takes the signals that it has a route for. */
export const EndpointSettings = z.strictObject({
  name: z.string().regex(ENDPOINT_NAME),
  routes: z.partialRecord(z.enum(SIGNALS), EndpointRoute),
});
export type EndpointSettings = z.output<typeof EndpointSettings>;

/** What is wrong with a setting, without the name of the setting, and what to write. */
export interface SettingProblem {
  readonly message: string;
  readonly hint: string;
}
