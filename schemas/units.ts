import { z } from 'zod';

/** Milliseconds to nanoseconds, for deadlines and budgets that people write in milliseconds. */
export const NS_PER_MS = 1_000_000n;

/** One second in nanoseconds. */
export const NS_PER_SECOND = 1_000_000_000n;

/**
 * Integer nanoseconds: a bigint in code, a decimal string on the wire and on disk, because JSON
 * numbers lose digits above 2^53 (104 days of nanoseconds).
 */
export const Nanoseconds = z
  .codec(z.string().regex(/^-?\d{1,20}$/), z.bigint(), {
    decode: (text) => BigInt(text),
    encode: (value) => value.toString(),
  })
  .meta({ description: 'Integer nanoseconds as a decimal string.' });

/** A name that is safe as a NATS subject token, a path segment and a cgroup name. */
export const Identifier = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, {
    error: 'use 1 to 64 lower-case letters, digits and inner hyphens',
  })
  .meta({ description: 'Lower-case letters, digits and inner hyphens; at most 64.' });
export type Identifier = z.output<typeof Identifier>;

/** SHA-256 of some content, as `sha256:` and 64 hex digits. */
export const Digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/)
  .meta({ description: 'sha256: and 64 hex digits.' });
export type Digest = z.output<typeof Digest>;

/** Converts nanoseconds to milliseconds for display; never for arithmetic. */
export function nanosecondsToMs(valueNs: bigint): number {
  return Number(valueNs) / 1e6;
}
