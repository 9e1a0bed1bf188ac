import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { BODIES, bodyMistake } from './fields.ts';
import type { FakeMachine } from './machine.ts';
import type { Fault } from './options.ts';
import { FAKE_VERSION } from './options.ts';
import { Refusal } from './refusal.ts';

/** What the API of the fake needs beside its machine. */
export interface ApiOptions {
  readonly id: string;
  readonly machine: FakeMachine;
  readonly fault?: Fault;
  readonly note: (entry: Record<string, unknown>) => void;
  /** Ends the process. */
  end(exitCode: number, message: string): void;
}

const NAMED = new Set(['drives', 'network-interfaces']);

/** The HTTP API: 204 for what was done, 400 with a fault message for all else. */
export function createApi(options: ApiOptions): Server {
  return createServer((request, response) => {
    void answer(options, request, response);
  });
}

async function answer(
  options: ApiOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { fault, machine, note } = options;
  const label = `${request.method ?? ''} ${request.url ?? ''}`;
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  note({ request: label, body: text });
  if (fault !== undefined && 'at' in fault && label === fault.at) {
    if (fault.kind === 'silent') return;
    if (fault.kind === 'crash') {
      options.end(fault.exitCode, 'Firecracker exiting with error');
      return;
    }
    reply(response, 400, { fault_message: fault.text });
    return;
  }
  try {
    if (request.method === 'GET') {
      assertNoBody(text);
      reply(response, 200, read(options, request.url ?? ''));
      return;
    }
    const { name, body } = parse(request, text);
    machine.apply(name, body);
    response.writeHead(204).end();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    reply(response, 400, { fault_message: error.message });
    if (error.isFatal) options.end(1, error.message);
  }
}

function parse(
  request: IncomingMessage,
  text: string,
): { name: string; body: Record<string, unknown> } {
  const { headers, method = '', url = '' } = request;
  // Its HTTP server knows no chunked bodies.
  if (headers['transfer-encoding'] !== undefined || headers['content-length'] === undefined) {
    throw new Refusal('Invalid request: no Content-Length');
  }
  const [first = '', second, ...more] = url.replace(/^\/+/, '').split('/');
  const name = `${method} ${first === 'snapshot' ? `snapshot/${second ?? ''}` : first}`;
  const fields = BODIES[name];
  if (fields === undefined || more.length > 0) {
    throw new Refusal(`Invalid request method and/or path: ${method} ${first}.`);
  }
  if (text === '') throw new Refusal(`Empty ${method} request.`);
  if (NAMED.has(first) && (second ?? '') === '') throw new Refusal('The ID cannot be empty.');
  if (NAMED.has(first) && !/^\w+$/.test(second ?? '')) {
    throw new Refusal('API Resource IDs can only contain alphanumeric characters and underscores.');
  }
  const body = readJson(text);
  const mistake = bodyMistake(fields, body);
  if (mistake !== undefined) throw badJson(mistake);
  const named = body as Record<string, unknown>;
  const id = named['drive_id'] ?? named['iface_id'];
  if (NAMED.has(first) && id !== second) {
    throw new Refusal(
      `The id from the path [${String(second)}] does not match the id from the body ` +
        `[${String(id)}]!`,
    );
  }
  return { name, body: named };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badJson((error as Error).message);
  }
}

function badJson(text: string): Refusal {
  return new Refusal(`An error occurred when deserializing the json body of a request: ${text}.`);
}

function read({ id, machine }: ApiOptions, url: string): unknown {
  const info = { id, state: machine.state, vmm_version: FAKE_VERSION, app_name: 'Firecracker' };
  if (url === '/') return info;
  if (url === '/version') return { firecracker_version: FAKE_VERSION };
  throw new Refusal(`Invalid request method and/or path: GET ${url.replace(/^\/+/, '')}.`);
}

function assertNoBody(text: string): void {
  if (text !== '') throw new Refusal('GET request cannot have a body.');
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}
