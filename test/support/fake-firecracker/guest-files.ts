import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const HEADER_BYTES = 110;
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** A file of an initial RAM file system ("newc"). */
export function readFromInitramfs(archive: string, path: string): Buffer {
  const bytes = readFileSync(archive);
  const aligned = (offset: number): number => (offset + 3) & ~3;
  for (let offset = 0; offset < bytes.length;) {
    const number = (index: number): number =>
      Number.parseInt(
        bytes.toString('latin1', offset + 6 + index * 8, offset + 14 + index * 8),
        16,
      );
    if (bytes.toString('latin1', offset, offset + 6) !== '070701') break;
    const [size, nameSize] = [number(6), number(11)];
    const nameStart = offset + HEADER_BYTES;
    const name = bytes.toString('utf8', nameStart, nameStart + nameSize - 1);
    const start = aligned(nameStart + nameSize);
    if (`/${name.replace(/^\/+/, '')}` === path) return bytes.subarray(start, start + size);
    offset = aligned(start + size);
  }
  throw new Error(`${archive} has no ${path}`);
}

/** A file of an ext4 image. */
export function readFromImage(image: string, path: string): Buffer {
  const content = execFileSync('debugfs', ['-R', `cat ${path}`, image], {
    maxBuffer: OUTPUT_BYTES_MAX,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (content.length > 0) return content;
  throw new Error(`${image} has no ${path}`);
}
