import { SCHEMA_URL } from '../../schemas/telemetry-names.ts';
import { encodeAttributes } from './encode-attributes.ts';
import type { Attributes } from './encode-attributes.ts';
import { SCOPE_FIELD } from './scope.ts';
import { encodeMessage, encodeText } from './wire-format.ts';

/** Fields of ResourceSpans and ResourceLogs, and of what is in them: the same in both. */
const RESOURCES = 1;
const RESOURCE = { resource: 1, scope: 2, schemaUrl: 3 } as const;
const RESOURCE_ATTRIBUTES = 1;
const SCHEMA_URL_OF_SCOPE = 3;

/**
 * The part of a request for traces or logs that is of one resource.
 *
 * @param items spans or log records, each with the field number that both have, 2.
 */
export function encodeResourceItems(
  attributes: Attributes,
  items: readonly Uint8Array[],
): Uint8Array {
  return encodeMessage(
    RESOURCES,
    encodeMessage(RESOURCE.resource, ...encodeAttributes(RESOURCE_ATTRIBUTES, attributes)),
    encodeMessage(
      RESOURCE.scope,
      SCOPE_FIELD,
      ...items,
      encodeText(SCHEMA_URL_OF_SCOPE, SCHEMA_URL),
    ),
    encodeText(RESOURCE.schemaUrl, SCHEMA_URL),
  );
}
