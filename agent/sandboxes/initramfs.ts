/** Something in an initial RAM file system. */
export type InitramfsEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly executable: boolean;
      readonly content: Uint8Array;
    }
  | {
      readonly kind: 'characterDevice';
      readonly path: string;
      readonly major: number;
      readonly minor: number;
    };

const TYPE_BITS = { folder: 0o040_755, file: 0o100_444, characterDevice: 0o020_600 } as const;
const EXECUTABLE_BITS = 0o111;
const TRAILER = 'TRAILER!!!';

/**
 * Writes an initial RAM file system as an uncompressed cpio archive of the "newc" form. The bytes
 * depend on the entries only. Parents must come before what is in them.
 * Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
 */
export function writeInitramfs(entries: readonly InitramfsEntry[]): Buffer {
  const parts: Buffer[] = [];
  entries.forEach((entry, index) => {
    const content = entry.kind === 'file' ? entry.content : new Uint8Array(0);
    const executable = entry.kind === 'file' && entry.executable ? EXECUTABLE_BITS : 0;
    parts.push(
      header({
        // Paths in the archive are relative to the root.
        name: entry.path.replace(/^\//, ''),
        inode: index + 1,
        mode: TYPE_BITS[entry.kind] | executable,
        sizeBytes: content.length,
        device: entry.kind === 'characterDevice' ? [entry.major, entry.minor] : [0, 0],
      }),
      Buffer.from(content.buffer, content.byteOffset, content.length),
      padding(content.length),
    );
  });
  parts.push(header({ name: TRAILER, inode: 0, mode: 0, sizeBytes: 0, device: [0, 0] }));
  return Buffer.concat(parts);
}

interface HeaderFields {
  readonly name: string;
  readonly inode: number;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly device: readonly [major: number, minor: number];
}

const HEADER_BYTES = 110;

function header(fields: HeaderFields): Buffer {
  const name = Buffer.from(`${fields.name}\0`);
  const numbers = [
    fields.inode,
    fields.mode,
    ...[0, 0],
    fields.mode >> 12 === TYPE_BITS.folder >> 12 ? 2 : 1,
    0,
    fields.sizeBytes,
    ...[0, 0],
    ...fields.device,
    name.length,
    0,
  ];
  const words = numbers.map((value) => value.toString(16).toUpperCase().padStart(8, '0'));
  const head = Buffer.from(`070701${words.join('')}`);
  return Buffer.concat([head, name, padding(HEADER_BYTES + name.length)]);
}

// Everything begins at a multiple of four bytes.
function padding(lengthBytes: number): Buffer {
  return Buffer.alloc(-lengthBytes & 3);
}
