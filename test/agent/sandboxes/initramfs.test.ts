import test from 'ava';
import { PROBE_MARKER, probeInit } from '../../../agent/sandboxes/probe-init.ts';
import { writeInitramfs } from '../../../agent/sandboxes/initramfs.ts';

interface Read {
  name: string;
  mode: number;
  links: number;
  device: [number, number];
  content: string;
}

// A reader of its own, by the kernel's description of the format.
function readArchive(archive: Buffer): Read[] {
  const entries: Read[] = [];
  for (let at = 0; ;) {
    if (archive.toString('latin1', at, at + 6) !== '070701') throw new Error(`no magic at ${at}`);
    const field = (index: number): number =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const [mode, links, size, nameSize] = [field(1), field(4), field(6), field(11)];
    const name = archive.toString('utf8', at + 110, at + 110 + nameSize - 1);
    const contentAt = align(at + 110 + nameSize);
    if (name === 'TRAILER!!!') return entries;
    const content = archive.toString('utf8', contentAt, contentAt + size);
    entries.push({ name, mode, links, device: [field(9), field(10)], content });
    at = align(contentAt + size);
  }
}

function align(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}

test('writeInitramfs writes folders, files and devices that read back the same', (t) => {
  const archive = writeInitramfs([
    { kind: 'folder', path: '/dev' },
    { kind: 'characterDevice', path: '/dev/console', major: 5, minor: 1 },
    { kind: 'file', path: '/function', executable: true, content: Buffer.from('hello') },
    { kind: 'file', path: '/modules.ko', executable: false, content: Buffer.from('abcd') },
    { kind: 'file', path: '/empty', executable: false, content: new Uint8Array(0) },
  ]);
  t.deepEqual(readArchive(archive), [
    { name: 'dev', mode: 0o040755, links: 2, device: [0, 0], content: '' },
    { name: 'dev/console', mode: 0o020600, links: 1, device: [5, 1], content: '' },
    { name: 'function', mode: 0o100555, links: 1, device: [0, 0], content: 'hello' },
    { name: 'modules.ko', mode: 0o100444, links: 1, device: [0, 0], content: 'abcd' },
    { name: 'empty', mode: 0o100444, links: 1, device: [0, 0], content: '' },
  ]);
});

test('writeInitramfs gives the same bytes for the same entries', (t) => {
  const entries = [
    { kind: 'file', path: '/a', executable: true, content: Buffer.from('x') },
  ] as const;
  t.deepEqual(writeInitramfs(entries), writeInitramfs(entries));
});

for (const architecture of ['x64', 'arm64'] as const) {
  test(`probeInit is one whole ELF program for ${architecture}`, (t) => {
    const program = probeInit(architecture);
    t.deepEqual([...program.subarray(0, 4)], [0x7f, 0x45, 0x4c, 0x46]);
    t.is(program.readUInt16LE(18), architecture === 'x64' ? 62 : 183);
    t.is(program.readBigUInt64LE(96), BigInt(program.length));
    t.true(program.toString('latin1').endsWith(`${PROBE_MARKER}\n`));
  });
}
