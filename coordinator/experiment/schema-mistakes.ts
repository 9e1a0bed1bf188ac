import type { z } from 'zod';
import { Experiment } from '../../schemas/experiment.ts';
import { SandboxName } from '../../schemas/sandbox.ts';
import { formatDataPath, quote } from './mistake.ts';
import type { DataPath, Mistake } from './mistake.ts';
import { nearestNameHint } from './nearest-name.ts';
import { fieldSchema, lookUpSchema } from './schema-lookup.ts';
import type { YamlSource } from './yaml-source.ts';

type Issue = z.core.$ZodIssue;
type Said = Pick<Mistake, 'message' | 'hint'>;

/**
 * Says what an issue of the schema check means for the file: where, what, and what to write.
 * Behind a syntax error only what stands before it is said, since the rest is guesswork.
 */
export function toSchemaMistakes(issue: Issue, source: YamlSource): Mistake[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.flatMap((key) => {
      const path = [...issue.path, key];
      const said = sayUnknownKey(issue.path, key, source.data?.value);
      return placed(source, path, { ...said, offset: source.locate(path).keyOffset });
    });
  }
  if (issue.code === 'invalid_union' && issue.discriminator !== undefined) {
    return unionMistakes(issue, source);
  }
  const { isPresent, keyOffset, valueOffset } = source.locate(issue.path);
  const isRoot = issue.path.length === 0;
  if (!isPresent && source.trustedUntilOffset !== Number.POSITIVE_INFINITY) return [];
  const said = isPresent && !isRoot ? sayWrong(issue, valueAt(source, issue.path)) : undefined;
  return placed(source, issue.path, {
    ...(said ?? (isPresent ? sayWrongRoot() : sayMissing(issue.path))),
    offset: issue.code === 'invalid_key' ? keyOffset : valueOffset,
  });
}

// Which option is meant is not known, but the other fields can be wrong in any of them.
function unionMistakes(issue: z.core.$ZodIssueInvalidUnion, source: YamlSource): Mistake[] {
  const { message, input } = issue;
  const values = 'options' in issue ? (issue.options as string[]) : [];
  const choice: Issue = { code: 'invalid_value', path: issue.path, message, input, values };
  const parent = issue.path.slice(0, -1);
  const found = valueAt(source, parent);
  const others = Object.entries(typeof found === 'object' && found !== null ? found : {});
  return [
    ...toSchemaMistakes(choice, source),
    ...others.flatMap(([key, value]) => {
      if (key === issue.discriminator) return [];
      const path = [...parent, key];
      const schema = fieldSchema(Experiment, path);
      if (schema === undefined) {
        const unknown: Issue = { code: 'unrecognized_keys', path: parent, keys: [key], message };
        return toSchemaMistakes(unknown, source);
      }
      const issues = schema.safeParse(value).error?.issues ?? [];
      return issues.flatMap((one) =>
        toSchemaMistakes({ ...one, path: [...path, ...one.path] }, source),
      );
    }),
  ];
}

function placed(
  source: YamlSource,
  path: DataPath,
  { message, hint, offset }: Said & { offset: number },
): Mistake[] {
  if (offset >= source.trustedUntilOffset) return [];
  return [{ ...source.positionAt(offset), path: formatDataPath(path), message, hint }];
}

function sayUnknownKey(parent: DataPath, key: string, data: unknown): Said {
  const where = parent.length === 0 ? '' : ` in ${formatDataPath(parent)}`;
  return {
    message: `unknown key ${quote(key)}${where}`,
    hint: nearestNameHint(key, lookUpSchema(Experiment, parent, data).keys),
  };
}

function sayWrongRoot(): Said {
  return {
    message: 'the file must be a mapping of keys to values',
    hint: `Keys: ${lookUpSchema(Experiment, []).keys.join(', ')}.`,
  };
}

function sayMissing(path: DataPath): Said {
  return {
    message: `${formatDataPath(path)} is missing`,
    hint: `Add it. ${describeField(path)}`.trim(),
  };
}

function sayWrong(issue: Issue, value: unknown): Said {
  const name = formatDataPath(issue.path);
  const found = describeValue(value);
  const hint = describeField(issue.path) || 'Write another value.';
  switch (issue.code) {
    case 'invalid_type':
      return {
        message: `${name} must be ${typeName(issue.expected)}, but is ${found}`,
        hint: `${spellingHint(issue.expected, value)}${hint}`,
      };
    case 'invalid_value':
      return sayWrongChoice(issue, value);
    case 'too_small':
    case 'too_big':
      return { message: `${name} must be ${boundText(issue)}, but is ${found}`, hint };
    case 'invalid_key':
      return {
        message: `${name} has a key that is not allowed`,
        hint: `Keys: ${issue.issues.map((inner) => inner.message).join('; ')}.`,
      };
    case 'custom':
      return { message: `${name}: ${issue.message}`, hint };
    default:
      return { message: `${name} is ${found}: ${issue.message}`, hint };
  }
}

function sayWrongChoice(issue: z.core.$ZodIssueInvalidValue, value: unknown): Said {
  const choices = issue.values.map(String);
  const isSandbox = choices.join() === SandboxName.options.join();
  const what = isSandbox ? 'a known sandbox' : `one of ${choices.join(', ')}`;
  const message = `${formatDataPath(issue.path)} must be ${what}, but is ${describeValue(value)}`;
  return {
    message,
    hint: nearestNameHint(typeof value === 'string' ? value : '', choices),
  };
}

function boundText(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const isSmall = issue.code === 'too_small';
  const bound = Number(isSmall ? issue.minimum : issue.maximum);
  if (issue.origin === 'array') return `a list of ${isSmall ? 'at least' : 'at most'} ${bound}`;
  if (issue.origin === 'string') {
    return `${isSmall ? 'at least' : 'at most'} ${bound} character${bound === 1 ? '' : 's'} long`;
  }
  if (issue.inclusive === false) return `${isSmall ? 'more' : 'less'} than ${bound}`;
  return `${isSmall ? 'at least' : 'at most'} ${bound}`;
}

const TYPE_NAMES: Record<string, string> = {
  array: 'a list',
  int: 'a whole number',
  number: 'a number',
  object: 'a mapping',
  record: 'a mapping',
  string: 'text',
};

function typeName(expected: string): string {
  return TYPE_NAMES[expected] ?? expected;
}

function spellingHint(expected: string, value: unknown): string {
  const isScalar = typeof value === 'string' || typeof value === 'number';
  if (expected === 'array' && isScalar) return `Write [${String(value).slice(0, 60)}]. `;
  if (expected === 'string' && isScalar) return `Put it in quotes: "${value}". `;
  return '';
}

function describeField(path: DataPath): string {
  // An item of a list is described by its list where it has no words of its own.
  const own = lookUpSchema(Experiment, path).description;
  return own === '' ? lookUpSchema(Experiment, path.slice(0, -1)).description : own;
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'object' ? 'a mapping' : typeof value;
}

function valueAt(source: YamlSource, path: DataPath): unknown {
  let value: unknown = source.data?.value;
  for (const segment of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[segment];
  }
  return value;
}
