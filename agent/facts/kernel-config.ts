import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { FactRoots } from './sources.ts';

/** A configuration has some 10,000 lines; what is larger is none. */
const BYTES_MAX = 4 * 1024 * 1024;

/**
 * Text of the configuration that the running kernel was built with, from /proc/config.gz or
 * /boot/config-RELEASE. Undefined if neither is there.
 */
export function readKernelConfig(
  roots: Pick<FactRoots, 'proc' | 'boot'>,
  release: string,
): string | undefined {
  const packed = readBytes(join(roots.proc, 'config.gz'));
  if (packed !== undefined) {
    try {
      return gunzipSync(packed, { maxOutputLength: BYTES_MAX }).toString('latin1');
    } catch {
      // Damaged or too large: the other place may have it.
    }
  }
  const plain = readBytes(join(roots.boot, `config-${release}`));
  return plain === undefined || plain.length > BYTES_MAX ? undefined : plain.toString('latin1');
}

/** Value of one option, such as `y` or `250`; undefined if it is not set. */
export function kernelOption(config: string | undefined, name: string): string | undefined {
  return config === undefined ? undefined : new RegExp(`^${name}=(.*)$`, 'm').exec(config)?.[1];
}

function readBytes(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
