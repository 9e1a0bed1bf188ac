import type { Signal } from '../payload.ts';
import type { Protocol, SettingProblem } from './endpoint-settings.ts';

/** How the address of an endpoint was given. */
export interface AddressUse {
  readonly signal: Signal;
  readonly protocol: Protocol;
  /** True for the address of all signals: over HTTP each has a path of its own below it. */
  readonly isBase: boolean;
  /** True if an address without scheme is meant without TLS; gRPC only. */
  readonly isInsecure: boolean;
}

const EXAMPLES = {
  grpc: 'https://collector.example:4317',
  'http/protobuf': 'https://collector.example:4318',
  'http/json': 'https://collector.example:4318',
} as const;

/**
 * The URL to ask for the payloads of a signal. Problems do not show what may be a secret.
 * Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
 */
export function resolveUrl(
  text: string,
  { signal, protocol, isBase, isInsecure }: AddressUse,
): { readonly url: string } | { readonly problem: SettingProblem } {
  const hint = `Write a URL such as ${EXAMPLES[protocol]}.`;
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const withScheme =
    protocol === 'grpc' && !hasScheme ? `${isInsecure ? 'http' : 'https'}://${text}` : text;
  const url = URL.parse(withScheme);
  if (url === null || !hasAddress(url)) {
    return { problem: { message: `is no address over http or https${shown(text)}`, hint } };
  }
  if (url.username !== '' || url.password !== '') {
    const message = 'has a user or a password in the address';
    return { problem: { message, hint: 'Put them into the header "authorization".' } };
  }
  if (protocol === 'grpc') {
    if (url.pathname === '/' && url.search === '') return { url: url.origin };
    return { problem: { message: `has a path, which gRPC does not use${shown(text)}`, hint } };
  }
  if (isBase) url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/${signal}`;
  url.hash = '';
  return { url: url.href };
}

/** A URL as people may see it: what follows the path may be a secret. */
export function showUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return pathname === '/' ? origin : origin + pathname;
}

function hasAddress({ protocol, hostname }: URL): boolean {
  return /^https?:$/.test(protocol) && hostname !== '';
}

function shown(text: string): string {
  return /[@?]/.test(text) ? '' : `: ${JSON.stringify(text.slice(0, 100))}`;
}
