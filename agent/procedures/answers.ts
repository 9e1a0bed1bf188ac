import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { FunctionRoot } from '../sandboxes/function-root.ts';
import type { Invocation } from './invoke.ts';

/** Where the archive that `/read` reads is in the root of a function. */
const STORED_ARCHIVE = 'data/stored.zip';

const UINT64 = 1n << 64n;

/**
 * Compares the whole number that a function answered with the one expected. Returns what is wrong,
 * or undefined.
 *
 * @param expected absent: any number above 0.
 */
export function mistakeInNumber({ bodyStart }: Invocation, expected?: bigint): string | undefined {
  const text = bodyStart.trim();
  const wanted = expected === undefined ? 'a number above 0' : String(expected);
  const isNumber = /^\d{1,20}$/.test(text);
  if (isNumber && (expected === undefined ? BigInt(text) > 0n : BigInt(text) === expected)) {
    return undefined;
  }
  return `'${text.slice(0, 80)}' instead of ${wanted}`;
}

/** The nth Fibonacci number (1, 1, 2, 3, ...) modulo 2^64, by fast doubling. */
export function fibonacci(n: number): bigint {
  let [value, next] = [0n, 1n];
  for (const bit of n.toString(2)) {
    const doubled = value * (2n * next - value + 2n * UINT64);
    const following = value * value + next * next;
    [value, next] =
      bit === '1'
        ? [following % UINT64, (doubled + following) % UINT64]
        : [doubled % UINT64, following % UINT64];
  }
  return value;
}

/** Bytes of the archive that `/read` reads. Undefined if the function has none. */
export function storedArchiveBytes({ folder }: FunctionRoot): bigint | undefined {
  const found = statSync(join(folder, STORED_ARCHIVE), { throwIfNoEntry: false });
  return found === undefined ? undefined : BigInt(found.size);
}
