import { z } from 'zod';
import type { DataPath } from './mistake.ts';

/** What is known of the place in a schema that a path leads to. */
export interface SchemaPlace {
  /** The description of the field. Empty if it has none. */
  readonly description: string;
  /** The keys of a mapping. Empty for anything else, and for mappings with free keys. */
  readonly keys: readonly string[];
}

/**
 * Looks up the part of a schema that describes the value at a path.
 *
 * @param data what stands there in the file: it tells which option of a union is meant.
 */
export function lookUpSchema(root: z.ZodType, path: DataPath, data?: unknown): SchemaPlace {
  let place = unwrap(root);
  let value = data;
  for (const segment of path) {
    const next = childOf(place.schema, segment, value);
    if (next === undefined) return { description: '', keys: [] };
    place = unwrap(next);
    value = isMapping(value) ? value[String(segment)] : undefined;
  }
  const { schema, description } = place;
  const keys = optionsOf(schema, value).flatMap((option) => Object.keys(option.shape));
  return { description, keys: [...new Set(keys)] };
}

/** The schema of the value at a path; of a union, that of the first option which has it. */
export function fieldSchema(root: z.ZodType, path: DataPath): z.ZodType | undefined {
  let schema: unknown = root;
  for (const segment of path) schema = childOf(unwrap(schema).schema, segment, undefined);
  return schema instanceof z.ZodType ? schema : undefined;
}

/** The mappings that a schema allows: of a union those with the value's own discriminator. */
function optionsOf(schema: unknown, value: unknown): z.ZodObject[] {
  if (schema instanceof z.ZodObject) return [schema];
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return [];
  const options = schema.options.filter((option) => option instanceof z.ZodObject);
  const meant = options.filter((option) => {
    const { discriminator } = schema.def;
    return (
      isMapping(value) && fieldOf(option, discriminator)?.safeParse(value[discriminator]).success
    );
  });
  return meant.length === 0 ? options : meant;
}

function fieldOf(schema: z.ZodObject, key: string): z.ZodType | undefined {
  const shape: Record<string, unknown> = schema.shape;
  return Object.hasOwn(shape, key) ? (shape[key] as z.ZodType) : undefined;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function childOf(schema: unknown, segment: PropertyKey, value: unknown): unknown {
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  for (const option of optionsOf(schema, value)) {
    const field = fieldOf(option, String(segment));
    if (field !== undefined) return field;
  }
  return undefined;
}

/** Goes through defaults and the like to the schema itself; the outermost description counts. */
function unwrap(wrapped: unknown): { schema: unknown; description: string } {
  const description = wrapped instanceof z.ZodType ? (wrapped.description ?? '') : '';
  const isWrapper =
    wrapped instanceof z.ZodDefault ||
    wrapped instanceof z.ZodPrefault ||
    wrapped instanceof z.ZodOptional;
  if (!isWrapper) return { schema: wrapped, description };
  const inner = unwrap(wrapped.unwrap());
  return {
    schema: inner.schema,
    description: description === '' ? inner.description : description,
  };
}
