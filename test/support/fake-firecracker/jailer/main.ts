import { spawn } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { execFileSync } from 'node:child_process';

// A program with the command line of Firecracker's jailer. It makes the jail's folder, devices and
// copy as that does, and checks what it was told; but it neither changes its root nor its user,
// since what it starts then is no single file. Not part of the product.

const options = JSON.parse(process.argv[2] ?? '{}') as { journal: string };
const VALUE_WORDS = [
  '--id',
  '--exec-file',
  '--uid',
  '--gid',
  '--cgroup-version',
  '--cgroup',
].concat(['--parent-cgroup', '--chroot-base-dir', '--netns', '--resource-limit']);
const NEEDED = ['--id', '--exec-file', '--uid', '--gid'];

function fail(message: string): never {
  process.stderr.write(`jailer: ${message}\n`);
  process.exit(1);
}

function parse(words: readonly string[]): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (let index = 0; index < words.length; index += 2) {
    const [word = '', value] = words.slice(index, index + 2);
    if (!VALUE_WORDS.includes(word)) fail(`Found argument '${word}' which wasn't expected`);
    if (value === undefined || value.startsWith('--')) fail(`no value for ${word}`);
    values.set(word, [...(values.get(word) ?? []), value]);
  }
  for (const word of NEEDED) if (values.get(word)?.length !== 1) fail(`one ${word} is needed`);
  return values;
}

function makeDevice(root: string, path: string, [major, minor]: [number, number]): void {
  const owner = values.get('--uid')?.[0] ?? '';
  mkdirSync(join(root, path, '..'), { recursive: true });
  execFileSync('mknod', ['-m', '600', join(root, path), 'c', String(major), String(minor)]);
  execFileSync('chown', [`${owner}:${owner}`, join(root, path)]);
}

const words = process.argv.slice(3);
if (words.includes('--version')) {
  process.stdout.write('Jailer v1.17.0\n');
  process.exit(0);
}
const split = words.indexOf('--');
const values = parse(split < 0 ? words : words.slice(0, split));
const only = (word: string): string => values.get(word)?.[0] ?? '';
appendFileSync(options.journal, `${JSON.stringify({ jailer: words })}\n`);
const id = only('--id');
if (!/^[\dA-Za-z-]{1,64}$/.test(id)) fail('Invalid instance ID');
if (!['', '1', '2'].includes(only('--cgroup-version'))) fail('Invalid cgroup version');
if (only('--parent-cgroup').startsWith('/')) fail('the parent cgroup is no relative path');
const program = only('--exec-file');
if (!existsSync(program)) fail(`Failed to canonicalize path ${program}`);
for (const pair of values.get('--cgroup') ?? []) {
  if (!/^[a-z.]+\.[a-z._]+=[^=]+$/.test(pair)) fail(`Invalid format for cgroups: ${pair}`);
}
const root = join(only('--chroot-base-dir') || '/srv/jailer', basename(program), id, 'root');
mkdirSync(root, { recursive: true });
const copy = join(root, basename(program));
copyFileSync(program, copy);
makeDevice(root, 'dev/kvm', [10, 232]);
makeDevice(root, 'dev/net/tun', [10, 200]);
if (statSync(root).uid !== Number(only('--uid'))) fail(`${root} is not the jailed user's`);
const child = spawn(copy, ['--id', id, ...(split < 0 ? [] : words.slice(split + 1))], {
  stdio: 'inherit',
  env: { PATH: process.env['PATH'] ?? '', FAKE_FIRECRACKER_ROOT: root },
});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.once('exit', (code, signal) => {
  process.exit(signal === null ? (code ?? 1) : 1);
});
