import { LineCounter, isAlias, isMap, isSeq, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import type { DataPath, Mistake } from './mistake.ts';
import {
  findAliasMistakes,
  findRepeatedKeys,
  findSyntaxMistakes,
  keyTextOf,
  startOffsetOf,
} from './yaml-mistakes.ts';

/** What a path leads to in the text. */
export interface YamlPlace {
  readonly isPresent: boolean;
  /** Start of the value. Of the nearest enclosing key if there is no such value. */
  readonly valueOffset: number;
  /** Start of the key. Of the value where there is no key. */
  readonly keyOffset: number;
}

/** A YAML text with its data and the places of the data in the text. */
export interface YamlSource {
  /** The data as plain objects. Absent if the text has none that can be trusted. */
  readonly data?: { readonly value: unknown };
  /** Mistakes of YAML itself. */
  readonly mistakes: readonly Mistake[];
  /** Data that begins here or later stands behind a syntax error. */
  readonly trustedUntilOffset: number;
  /** Finds the place of a path. */
  locate(path: DataPath): YamlPlace;
  /** Line and column of an offset, both from 1. */
  positionAt(offset: number): { line: number; column: number };
}

/**
 * Reads one YAML 1.2 document of the core schema: no tags, no merge keys, each key once, at most
 * 32 aliases. Never throws, whatever the text.
 */
export function readYamlSource(text: string): YamlSource {
  const lines = new LineCounter();
  const document = parse(text, lines);
  const positionAt = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document === undefined) {
    return { ...NOTHING, mistakes: [unreadable('the text cannot be read as YAML')], positionAt };
  }
  const aliasMistakes = findAliasMistakes(document);
  const found = [
    ...findSyntaxMistakes(document),
    ...findRepeatedKeys(document, lines),
    ...aliasMistakes,
  ];
  const mistakes = found.map(({ offset, ...rest }) => ({ ...positionAt(offset), ...rest }));
  const data = aliasMistakes.length === 0 ? toData(document) : undefined;
  if (data === undefined && aliasMistakes.length === 0) {
    mistakes.push(unreadable('the aliases stand for too much data'));
  }
  return {
    ...(data === undefined ? {} : { data }),
    mistakes,
    trustedUntilOffset: Math.min(...document.errors.map((error) => error.pos[0])),
    locate: (path) => locate(document, path),
    positionAt,
  };
}

const NOTHING = {
  trustedUntilOffset: 0,
  locate: (): YamlPlace => ({ isPresent: false, valueOffset: 0, keyOffset: 0 }),
};

function unreadable(message: string): Mistake {
  return {
    line: 1,
    column: 1,
    path: '',
    message,
    hint: 'Write plain keys and values, with little nesting.',
  };
}

function parse(text: string, lines: LineCounter): Document.Parsed | undefined {
  try {
    return parseDocument(text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      resolveKnownTags: false,
      stringKeys: true,
      strict: true,
      // The parser's own check takes quadratic time and does not name the first place.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'error',
      lineCounter: lines,
    });
  } catch {
    // Only text that exhausts the parser's stack gets here, and it has no place to name.
    return undefined;
  }
}

function toData(document: Document.Parsed): { value: unknown } | undefined {
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) as unknown };
  } catch {
    // The parser refuses to expand aliases beyond its bound.
    return undefined;
  }
}

function locate(document: Document.Parsed, path: DataPath): YamlPlace {
  let node: unknown = document.contents;
  let keyOffset = startOffsetOf(node) ?? 0;
  for (const segment of path) {
    const step = stepInto(document, node, segment);
    if (step === undefined) return { isPresent: false, valueOffset: keyOffset, keyOffset };
    node = step.value;
    keyOffset = step.keyOffset ?? startOffsetOf(node) ?? keyOffset;
  }
  return { isPresent: true, valueOffset: startOffsetOf(node) ?? keyOffset, keyOffset };
}

function stepInto(
  document: Document.Parsed,
  node: unknown,
  segment: PropertyKey,
): { value: unknown; keyOffset: number | undefined } | undefined {
  const target: unknown = isAlias(node) ? node.resolve(document) : node;
  if (isSeq(target) && typeof segment === 'number') {
    return segment < target.items.length
      ? { value: target.items[segment], keyOffset: undefined }
      : undefined;
  }
  if (!isMap(target)) return undefined;
  // The last of repeated keys is the one whose value counts.
  const pair = target.items.findLast((item) => keyTextOf(item) === String(segment));
  return pair === undefined ? undefined : { value: pair.value, keyOffset: startOffsetOf(pair.key) };
}
