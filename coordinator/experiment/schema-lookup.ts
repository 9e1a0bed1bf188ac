import { z } from 'zod';
import type { DataPath } from './mistake.ts';

/** What is known of the place in a schema that a path leads to. */
export interface SchemaPlace {
  /** The description of the field. Empty if it has none. */
  readonly description: string;
  /** The keys of a mapping. Empty for anything else, and for mappings with free keys. */
  readonly keys: readonly string[];
}

/** Looks up the part of a schema that describes the value at a path. */
export function lookUpSchema(root: z.ZodType, path: DataPath): SchemaPlace {
  let place = unwrap(root);
  for (const segment of path) {
    const next = childOf(place.schema, segment);
    if (next === undefined) return { description: '', keys: [] };
    place = unwrap(next);
  }
  const { schema, description } = place;
  return { description, keys: schema instanceof z.ZodObject ? Object.keys(schema.shape) : [] };
}

function childOf(schema: unknown, segment: PropertyKey): unknown {
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  if (!(schema instanceof z.ZodObject)) return undefined;
  const shape: Record<string, unknown> = schema.shape;
  return Object.hasOwn(shape, String(segment)) ? shape[String(segment)] : undefined;
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
