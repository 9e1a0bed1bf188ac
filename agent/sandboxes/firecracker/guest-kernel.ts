import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Architecture } from '../../../schemas/artefact.ts';

const HEAD_BYTES = 1024;
const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const GZIP = Buffer.from([0x1f, 0x8b]);

/**
 * Why Firecracker can't boot this file; undefined if it can. It takes an uncompressed ELF file on
 * x64 and an Image on arm64. Source: Firecracker, docs/rootfs-and-kernel-setup.md; the kernel's
 * Documentation/arch/x86/boot.rst and arm64/booting.rst.
 */
export async function kernelUnfit(
  file: string,
  architecture: Architecture,
): Promise<string | undefined> {
  const head = Buffer.alloc(HEAD_BYTES);
  const handle = await open(file);
  try {
    await handle.read(head, 0, HEAD_BYTES, 0);
  } finally {
    await handle.close();
  }
  const isElf = head.subarray(0, 4).equals(ELF);
  if (architecture === 'x64') {
    if (isElf) return undefined;
    const isPacked = head.toString('latin1', 0x202, 0x206) === 'HdrS';
    return `it is ${isPacked ? 'a compressed bzImage' : 'no ELF file'}, not an ELF vmlinux`;
  }
  if (head.toString('latin1', 56, 60) === 'ARM\x64') return undefined;
  const isPacked = head.subarray(0, 2).equals(GZIP);
  return `it is ${isPacked ? 'compressed' : 'no arm64 Image'}, not an uncompressed Image`;
}

/** The first half of a file's SHA-256, which tells one kernel from another in a record. */
export async function shortDigest(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return `sha256:${hash.digest('hex').slice(0, 32)}`;
}
