/**
 * A value that JSON can hold. Properties that are undefined are left out, as `JSON.stringify` does.
 */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/**
 * Writes a value as canonical JSON: keys sorted by UTF-16 code units, no white space, numbers as
 * ECMAScript writes them. Equal values give equal bytes, so that a digest of the text names the
 * value (RFC 8785, for well-formed strings).
 *
 * @throws TypeError if a number is not finite, because JSON cannot hold it.
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TypeError(`JSON cannot hold the number ${value}`);
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  const members: string[] = [];
  for (const key of Object.keys(value).toSorted()) {
    const member = value[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(',')}}`;
}

function isArray(value: object): value is readonly JsonValue[] {
  return Array.isArray(value);
}
