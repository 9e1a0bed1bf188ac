import type { SettingProblem } from './endpoint-settings.ts';

const NAME = /^[\w!#$%&'*+.^`|~-]{1,256}$/;
/** What both HTTP and gRPC carry. */
const VALUE = /^[\u0020-\u007e]{0,8192}$/;
/** Those that are made of the payload and the connection. */
const OWN = new RegExp(
  '^(accept-encoding|connection|content-.*|expect|grpc-.*|host|te|trailer|transfer-encoding|' +
    'upgrade)$',
  'i',
);
const LIST_HINT = 'Write name=value,name=value; in a value write %2C for a comma, %25 for %.';

/** What is wrong with a header that people want sent. The value is not shown. */
export function headerProblem(name: string, value: string): SettingProblem | undefined {
  if (!NAME.test(name)) {
    const message = 'has a header whose name can not be sent';
    return { message, hint: 'Use letters, digits and - in names, such as authorization.' };
  }
  if (OWN.test(name)) {
    const message = `has the header ${name}, which is made of what is sent`;
    return { message, hint: 'Leave it out.' };
  }
  if (VALUE.test(value)) return undefined;
  const message = `has a value of the header ${name} that can not be sent`;
  return { message, hint: 'Use printable ASCII, at most 8192 characters, on one line.' };
}

/**
 * Reads a list of headers as `name=value,name=value`, percent-encoded.
 * Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/, "Specifying headers via
 * environment variables"
 */
export function parseHeaderList(
  text: string,
): { readonly headers: Record<string, string> } | { readonly problem: SettingProblem } {
  const headers: Record<string, string> = {};
  const entries = text.split(',').filter((entry) => entry.trim() !== '');
  for (const [index, entry] of entries.entries()) {
    const at = entry.indexOf('=');
    const name = at < 0 ? undefined : decode(entry.slice(0, at));
    const value = at < 0 ? undefined : decode(entry.slice(at + 1));
    if (name === undefined || value === undefined) {
      const message = `has a mistake in entry ${index + 1} of ${entries.length}`;
      return { problem: { message, hint: LIST_HINT } };
    }
    const problem = headerProblem(name, value);
    if (problem !== undefined) return { problem };
    headers[name.toLowerCase()] = value;
  }
  return { headers };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.trim());
  } catch {
    return undefined;
  }
}
