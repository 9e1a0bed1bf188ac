import { isScalar, visit } from 'yaml';
import type { Alias, Document, ErrorCode, LineCounter, Pair } from 'yaml';
import { formatDataPath, quote } from './mistake.ts';
import type { Mistake } from './mistake.ts';

const ALIASES_MAX = 32;

/** A mistake whose place is still an offset into the text. */
export type OffsetMistake = Omit<Mistake, 'line' | 'column'> & { readonly offset: number };

const SYNTAX_HINTS: Partial<Record<ErrorCode, string>> = {
  BAD_INDENT: 'Give all keys of one mapping the same indentation, in spaces.',
  BLOCK_AS_IMPLICIT_KEY: 'Begin the nested mapping on its own line, or quote the text.',
  MISSING_CHAR: 'Close what was opened, and put a space after each colon.',
  NON_STRING_KEY: 'Use a plain word as the key.',
  TAB_AS_INDENT: 'Indent with spaces.',
};

/** What the YAML parser itself complained about; unknown tags too, which it only warns of. */
export function findSyntaxMistakes(document: Document.Parsed): OffsetMistake[] {
  const errors = document.errors.map((error) => ({
    offset: error.pos[0],
    path: '',
    ...(error.code === 'MULTIPLE_DOCS'
      ? { message: 'a second document begins here', hint: 'Write one experiment per file.' }
      : {
          message: `YAML: ${error.message}`,
          hint: SYNTAX_HINTS[error.code] ?? 'Check quotes, colons, brackets and indentation here.',
        }),
  }));
  const warnings = document.warnings.map((warning) => ({
    offset: warning.pos[0],
    path: '',
    message: `YAML: ${warning.message}`,
    hint: 'Remove the tag, the word with the exclamation mark.',
  }));
  return [...errors, ...warnings];
}

/** Keys that a mapping holds twice. In linear time, whatever the size of the mapping. */
export function findRepeatedKeys(document: Document.Parsed, lines: LineCounter): OffsetMistake[] {
  const found: OffsetMistake[] = [];
  visit(document, {
    Map: (_, map) => {
      const lineByKey = new Map<string, number>();
      for (const pair of map.items) {
        const key = keyTextOf(pair);
        const offset = startOffsetOf(pair.key);
        if (key === undefined || offset === undefined) continue;
        const firstLine = lineByKey.get(key);
        if (firstLine === undefined) {
          lineByKey.set(key, lines.linePos(offset).line);
          continue;
        }
        found.push({
          offset,
          path: formatDataPath([key]),
          message: `the key ${quote(key)} was already given on line ${firstLine}`,
          hint: 'Keep one of the two.',
        });
      }
    },
  });
  return found;
}

/** Aliases that lead nowhere or into themselves, and too many of them. */
export function findAliasMistakes(document: Document.Parsed): OffsetMistake[] {
  const found: OffsetMistake[] = [];
  let count = 0;
  visit(document, {
    Alias: (_, alias, ancestors) => {
      count += 1;
      const problem =
        count > ALIASES_MAX ? TOO_MANY_ALIASES : problemOfAlias(document, alias, ancestors);
      if (problem === undefined) return undefined;
      found.push({ offset: startOffsetOf(alias) ?? 0, path: '', ...problem });
      return problem === TOO_MANY_ALIASES ? visit.BREAK : undefined;
    },
  });
  return found;
}

const TOO_MANY_ALIASES = {
  message: `there are more than ${ALIASES_MAX} aliases`,
  hint: 'Write the values out where they are used.',
};

function problemOfAlias(
  document: Document.Parsed,
  alias: Alias,
  ancestors: readonly unknown[],
): { message: string; hint: string } | undefined {
  const name = alias.source;
  const target = alias.resolve(document);
  if (target === undefined) {
    return {
      message: `the alias *${name} has no value: nothing before it is marked &${name}`,
      hint: `Mark a value with &${name} first, or quote the text if no alias is meant.`,
    };
  }
  if (!ancestors.includes(target)) return undefined;
  return { message: `the alias *${name} contains itself`, hint: 'Write the value out.' };
}

/** The text of a pair's key. Undefined if the key is no plain word. */
export function keyTextOf(pair: Pair): string | undefined {
  return isScalar(pair.key) ? String(pair.key.value) : undefined;
}

/** Where a node of the document begins in the text. Undefined for what is no node. */
export function startOffsetOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined;
  const range: unknown = node.range;
  if (!Array.isArray(range)) return undefined;
  const start: unknown = range[0];
  return typeof start === 'number' ? start : undefined;
}
