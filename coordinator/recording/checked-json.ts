import { crc32 } from 'node:zlib';

/** The last member of an object: the CRC-32 of every byte before it. */
const CHECK = /,\s*"check": ?"([0-9a-f]{8})"\s*\}\s*$/;

/** No check is longer than this, with what stands around it, bytes. */
const CHECK_BYTES_MAX = 64;

/** What the checksum of a text says: `absent` if it has none. */
export type CheckOutcome = 'holds' | 'fails' | 'absent';

/**
 * Adds to the text of a JSON object, on one line or indented, a last member `check`: the CRC-32
 * (that of gzip, RFC 1952) of all bytes before the comma in front of it, as 8 hex digits. A flipped
 * digit in a number is valid JSON, and would be a wrong measurement; this tells.
 */
export function withCheck(json: string): string {
  const end = /\s*\}\s*$/.exec(json);
  if (end === null) throw new Error('only an object can carry a check');
  const body = json.slice(0, end.index);
  const check = crc32(body).toString(16).padStart(8, '0');
  const isIndented = end[0].startsWith('\n');
  return `${body},${isIndented ? '\n  "check": ' : '"check":'}"${check}"${end[0]}`;
}

/** Compares the check of a text that {@link withCheck} made with its content. */
export function verifyCheck(bytes: Buffer): CheckOutcome {
  const from = Math.max(0, bytes.length - CHECK_BYTES_MAX);
  const found = CHECK.exec(bytes.toString('latin1', from));
  if (found === null) return 'absent';
  const content = crc32(bytes.subarray(0, from + found.index));
  return content.toString(16).padStart(8, '0') === found[1] ? 'holds' : 'fails';
}
