import test from 'ava';
import { writeReadOnlyFileSystem } from '../../../agent/sandboxes/osv-image.ts';
import type { ReadOnlyEntry } from '../../../agent/sandboxes/osv-image.ts';

const BLOCK_BYTES = 512;

// A reader of its own, by the order of things in the format.
function readAll(image: Buffer): Record<string, string> {
  const field = (index: number): number => Number(image.readBigUInt64LE(index * 8));
  if (field(0) !== 0xdead_bead || field(1) !== 1) throw new Error('no such file system');
  const [first, entryCount, inodeCount] = [field(3), field(5), field(7)];
  let at = first * BLOCK_BYTES;
  const entries: { inode: number; name: string }[] = [];
  for (let index = 0; index < entryCount; index += 1) {
    const length = image.readUInt16LE(at + 8);
    const name = image.toString('utf8', at + 10, at + 10 + length);
    entries.push({ inode: Number(image.readBigUInt64LE(at)), name });
    at += 10 + length;
  }
  const inodes = Array.from({ length: inodeCount }, (_, index) => {
    const value = (place: number): number =>
      Number(image.readBigUInt64LE(at + index * 32 + place * 8));
    return { mode: value(0), number: value(1), offset: value(2), count: value(3) };
  });
  const found: Record<string, string> = {};
  const visit = (path: string, number: number): void => {
    const { count, mode, offset, number: own } = inodes[number - 1]!;
    if (own !== number) throw new Error(`inode ${number} says it is ${own}`);
    if (mode === 0x8000) {
      const start = offset * BLOCK_BYTES;
      found[path] = image.toString('utf8', start, start + count);
      return;
    }
    found[`${path}/`] = '';
    for (const { inode, name } of entries.slice(offset, offset + count)) {
      visit(`${path}/${name}`, inode);
    }
  };
  visit('', 1);
  return found;
}

const ENTRIES: readonly ReadOnlyEntry[] = [
  { kind: 'folder', path: '/tmp' },
  { kind: 'file', path: '/etc/fstab', content: Buffer.from('none /dev devfs') },
  { kind: 'file', path: '/function', content: Buffer.from('x'.repeat(1_000)) },
  { kind: 'file', path: '/data/deep/empty', content: new Uint8Array(0) },
  { kind: 'file', path: '/data/stored.zip', content: Buffer.from('y'.repeat(BLOCK_BYTES)) },
];

test('writeReadOnlyFileSystem writes folders and files that read back the same', (t) => {
  t.deepEqual(readAll(writeReadOnlyFileSystem(ENTRIES)), {
    '/': '',
    '/tmp/': '',
    '/etc/': '',
    '/etc/fstab': 'none /dev devfs',
    '/function': 'x'.repeat(1_000),
    '/data/': '',
    '/data/deep/': '',
    '/data/deep/empty': '',
    '/data/stored.zip': 'y'.repeat(BLOCK_BYTES),
  });
});

test('writeReadOnlyFileSystem gives whole blocks, and the same bytes for the same entries', (t) => {
  const image = writeReadOnlyFileSystem(ENTRIES);
  t.is(image.length % BLOCK_BYTES, 0);
  t.deepEqual(writeReadOnlyFileSystem(ENTRIES), image);
});
