/** Nodes of a value that are turned into text at once. */
const NODES_AT_ONCE_MAX = 2000;

/** Characters that are collected before they are given on. */
const PIECE_CHARACTERS = 64 * 1024;

const STEP = '  ';

/**
 * A value as JSON, indented by two spaces, in pieces, so that a document of gigabytes never is in
 * memory as a whole. An async iterable is written as an array; what is undefined is left out.
 */
export async function* jsonPieces(value: unknown): AsyncGenerator<string> {
  let collected = '';
  for await (const part of parts(value, '')) {
    collected += part;
    if (collected.length < PIECE_CHARACTERS) continue;
    yield collected;
    collected = '';
  }
  yield `${collected}\n`;
}

async function* parts(value: unknown, indent: string): AsyncGenerator<string> {
  if (isAsyncIterable(value)) yield* elements(value, indent);
  else if (nodes(value, NODES_AT_ONCE_MAX) > 0) yield whole(value, indent);
  else if (Array.isArray(value)) yield* elements(value, indent);
  else yield* members(Object.entries(value as object), indent);
}

async function* elements(
  values: Iterable<unknown> | AsyncIterable<unknown>,
  indent: string,
): AsyncGenerator<string> {
  const inner = indent + STEP;
  let before = '[';
  for await (const value of values) {
    yield `${before}\n${inner}`;
    before = ',';
    if (nodes(value, NODES_AT_ONCE_MAX) > 0) yield whole(value, inner);
    else yield* parts(value, inner);
  }
  yield before === '[' ? '[]' : `\n${indent}]`;
}

async function* members(
  entries: readonly [string, unknown][],
  indent: string,
): AsyncGenerator<string> {
  const inner = indent + STEP;
  let before = '{';
  for (const [name, value] of entries) {
    if (value === undefined) continue;
    yield `${before}\n${inner}${JSON.stringify(name)}: `;
    before = ',';
    yield* parts(value, inner);
  }
  yield before === '{' ? '{}' : `\n${indent}}`;
}

function whole(value: unknown, indent: string): string {
  return JSON.stringify(value, null, STEP).replaceAll('\n', `\n${indent}`);
}

/** What is left of an allowance of nodes; 0 or less if the value has more, or has to be awaited. */
function nodes(value: unknown, allowance: number): number {
  if (typeof value !== 'object' || value === null) return allowance - 1;
  if (isAsyncIterable(value)) return 0;
  let left = allowance - 1;
  for (const part of Object.values(value)) {
    if (left <= 0) return 0;
    left = nodes(part, left);
  }
  return left;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
