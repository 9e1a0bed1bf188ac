import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { errorMessageOf, LockstepError } from '../../schemas/errors.ts';
import { headerProblem } from '../../telemetry/endpoints/endpoint-headers.ts';
import {
  COMPRESSIONS,
  ENDPOINT_NAME,
  PROTOCOLS,
  TIMEOUT_MS_DEFAULT,
  TIMEOUT_MS_MAX,
} from '../../telemetry/endpoints/endpoint-settings.ts';
import type {
  EndpointRoute,
  EndpointSettings,
  SettingProblem,
} from '../../telemetry/endpoints/endpoint-settings.ts';
import { resolveUrl } from '../../telemetry/endpoints/endpoint-url.ts';
import { ENVIRONMENT_ENDPOINT } from '../../telemetry/endpoints/environment.ts';
import type { Environment } from '../../telemetry/endpoints/environment.ts';
import { SIGNALS } from '../../telemetry/payload.ts';
import { formatMistakes } from '../experiment/experiment-file.ts';
import { formatDataPath } from '../experiment/mistake.ts';
import type { DataPath, Mistake } from '../experiment/mistake.ts';
import { nearestNameHint } from '../experiment/nearest-name.ts';
import { lookUpSchema } from '../experiment/schema-lookup.ts';
import { readYamlSource } from '../experiment/yaml-source.ts';
import type { YamlSource } from '../experiment/yaml-source.ts';

const FILE_BYTES_MAX = 262_144;
const SECRET_BYTES_MAX = 16_384;
const ENDPOINTS_MAX = 32;

const Text = z.string().min(1);
const HeaderSource = z.union([
  z.string(),
  z.strictObject({ env: Text }),
  z.strictObject({ file: Text }),
]);
const Endpoint = z.strictObject({
  name: z.string().regex(ENDPOINT_NAME).describe('Letters, digits, - and _, 64 at most.'),
  url: Text.optional().describe('Address for all signals; over HTTP /v1/traces etc. is added.'),
  urls: z
    .strictObject({ traces: Text.optional(), metrics: Text.optional(), logs: Text.optional() })
    .default({})
    .describe('Addresses of single signals, used as they are.'),
  protocol: z
    .enum(PROTOCOLS)
    .default('http/protobuf')
    .describe(`One of ${PROTOCOLS.join(', ')}.`),
  compression: z.enum(COMPRESSIONS).default('gzip').describe('gzip or none.'),
  timeoutMs: z
    .int()
    .min(1)
    .max(TIMEOUT_MS_MAX)
    .default(TIMEOUT_MS_DEFAULT)
    .describe(`Milliseconds, from 1 to ${TIMEOUT_MS_MAX}.`),
  signals: z
    .array(z.enum(SIGNALS))
    .min(1)
    .optional()
    .describe(`A list of ${SIGNALS.join(', ')}; all if it is left out.`),
  headers: z
    .record(z.string(), HeaderSource)
    .default({})
    .describe('A text in quotes, or {env: VARIABLE}, or {file: PATH}.'),
  tls: z
    .strictObject({
      ca: Text.optional(),
      cert: Text.optional(),
      key: Text.optional(),
      insecure: z.boolean().default(false),
    })
    .prefault({})
    .describe('Paths ca, cert and key, PEM; insecure: true for gRPC without TLS.'),
});
type Endpoint = z.output<typeof Endpoint>;
const EndpointsFile = z.strictObject({
  endpoints: z
    .array(Endpoint)
    .min(1)
    .max(ENDPOINTS_MAX)
    .describe(`A list of 1 to ${ENDPOINTS_MAX} endpoints, each with name and url.`),
});

type Problem = SettingProblem & { readonly path: DataPath };
interface Context {
  readonly folder: string;
  readonly environment: Environment;
  readonly note: (path: DataPath, problem: SettingProblem) => void;
}

/**
 * Reads a list of endpoints. Paths in it are relative to its folder.
 *
 * @throws LockstepError ENDPOINTS_INVALID with all mistakes, a line and a hint for each. Values of
 * headers are never shown.
 */
export async function readEndpointsFile(
  path: string,
  environment: Environment,
): Promise<EndpointSettings[]> {
  const source = readYamlSource(await readBounded(path));
  const mistakes = [...source.mistakes];
  const parsed = EndpointsFile.safeParse(source.data?.value);
  const settings: EndpointSettings[] = [];
  const problems: Problem[] = [];
  if (parsed.success) {
    const note: Context['note'] = (at, problem) => problems.push({ path: at, ...problem });
    const context = { folder: dirname(path), environment, note };
    noteRepeatedNames(parsed.data.endpoints, note);
    for (const [index, endpoint] of parsed.data.endpoints.entries()) {
      settings.push(await resolveEndpoint(endpoint, index, context));
    }
  } else if (mistakes.length === 0) problems.push(...parsed.error.issues.flatMap(problemsOf));
  mistakes.push(...problems.map((problem) => place(source, problem)));
  if (mistakes.length === 0) return settings;
  const sorted = mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const count = `${sorted.length} ${sorted.length === 1 ? 'mistake' : 'mistakes'}`;
  throw new LockstepError(
    'ENDPOINTS_INVALID',
    `${path} has ${count}:\n${formatMistakes(sorted, path)}`,
    {
      hint: 'Correct the file at the places named, then try again.',
    },
  );
}

async function readBounded(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > FILE_BYTES_MAX) throw new Error(`it has ${size} bytes`);
    return await readFile(path, 'utf8');
  } catch (cause) {
    const reason = errorMessageOf(cause);
    throw new LockstepError(
      'ENDPOINTS_INVALID',
      `can't read the list of endpoints ${path}: ${reason}`,
      {
        cause,
        hint: 'Name a file with a list "endpoints:", each with name and url.',
      },
    );
  }
}

function noteRepeatedNames(endpoints: readonly Endpoint[], note: Context['note']): void {
  const seen = new Set([ENVIRONMENT_ENDPOINT]);
  for (const [index, { name }] of endpoints.entries()) {
    const message = `the name "${name}" is taken`;
    const hint = 'Give each endpoint a name of its own; "env" is that of the OTEL_* variables.';
    if (seen.has(name)) note(['endpoints', index, 'name'], { message, hint });
    seen.add(name);
  }
}

async function resolveEndpoint(
  endpoint: Endpoint,
  index: number,
  context: Context,
): Promise<EndpointSettings> {
  const { name, url, urls, protocol, compression, timeoutMs, signals, tls } = endpoint;
  const at: DataPath = ['endpoints', index];
  const headers = await resolveHeaders(endpoint, at, context);
  const routes: EndpointSettings['routes'] = {};
  const tlsFiles = resolveTls(tls, at, context);
  for (const signal of signals ?? SIGNALS) {
    const own = urls[signal];
    const text = own ?? url;
    if (text === undefined) {
      const message = `${formatDataPath(at)} has no address for ${signal}`;
      const hint = `Add url: for all signals, or urls: with ${signal}.`;
      // Without a list the signals that have an address are meant.
      const isMeant = signals !== undefined || Object.keys(urls).length === 0;
      if (isMeant) context.note(at, { message, hint });
      continue;
    }
    const isBase = own === undefined;
    const resolved = resolveUrl(text, { signal, protocol, isBase, isInsecure: tls.insecure });
    if ('url' in resolved) {
      routes[signal] = {
        ...{ url: resolved.url, protocol, headers, compression, timeoutMs, tls: tlsFiles },
      };
      continue;
    }
    const where = isBase ? [...at, 'url'] : [...at, 'urls', signal];
    context.note(where, named(where, resolved.problem));
    if (isBase) break;
  }
  return { name, routes };
}

function resolveTls(
  { ca, cert, key }: Endpoint['tls'],
  at: DataPath,
  { folder, note }: Context,
): EndpointRoute['tls'] {
  if ((cert === undefined) !== (key === undefined)) {
    const message = `${formatDataPath([...at, 'tls'])} needs cert and key, or neither`;
    note([...at, 'tls'], { message, hint: 'Name both files.' });
  }
  return {
    ...(ca === undefined ? {} : { caFile: resolve(folder, ca) }),
    ...(cert === undefined ? {} : { certificateFile: resolve(folder, cert) }),
    ...(key === undefined ? {} : { keyFile: resolve(folder, key) }),
  };
}

async function resolveHeaders(
  { headers }: Endpoint,
  at: DataPath,
  context: Context,
): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const [name, from] of Object.entries(headers)) {
    const where = [...at, 'headers', name];
    const value = await headerValue(from, context);
    const problem = typeof value === 'string' ? headerProblem(name, value) : value;
    if (problem !== undefined) context.note(where, named(where, problem));
    else if (typeof value === 'string') values[name.toLowerCase()] = value;
  }
  return values;
}

async function headerValue(
  from: z.output<typeof HeaderSource>,
  { folder, environment }: Context,
): Promise<string | SettingProblem> {
  if (typeof from === 'string') return from;
  if ('env' in from) {
    const value = environment[from.env];
    const hint = `Set ${from.env} before you start.`;
    return value ?? { message: `needs the variable ${from.env}, which is not set`, hint };
  }
  const path = resolve(folder, from.file);
  try {
    if ((await stat(path)).size > SECRET_BYTES_MAX) throw new Error('it is too large');
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const message = `needs the file ${from.file}: ${errorMessageOf(error)}`;
    return { message, hint: 'Name a file that this process may read.' };
  }
}

function named(path: DataPath, { message, hint }: SettingProblem): SettingProblem {
  return { message: `${formatDataPath(path)} ${message}`, hint };
}

/** What an issue of the shape means. No value is shown, as any may be a secret. */
function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      message: `unknown key ${formatDataPath([...issue.path, key])}`,
      hint: nearestNameHint(key, lookUpSchema(EndpointsFile, issue.path).keys),
    }));
  }
  const isHeader = issue.path[2] === 'headers';
  const describedPath = isHeader ? issue.path.slice(0, 3) : issue.path;
  const own = lookUpSchema(EndpointsFile, describedPath).description;
  const hint = own === '' ? lookUpSchema(EndpointsFile, issue.path.slice(0, -1)).description : own;
  const name = formatDataPath(issue.path);
  return [
    {
      path: issue.path,
      message:
        name === '' ? 'the file is no mapping with endpoints' : `${name} is wrong or missing`,
      hint: hint === '' ? 'Write "endpoints:" and a list, each with name and url.' : hint,
    },
  ];
}

function place(source: YamlSource, { path, message, hint }: Problem): Mistake {
  const { keyOffset } = source.locate(path);
  return { ...source.positionAt(keyOffset), path: formatDataPath(path), message, hint };
}
