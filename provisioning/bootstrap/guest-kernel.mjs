import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { runCommand } from './command.mjs';
import { readIfThere } from './machine.mjs';
import { installFolder, makeWorkFolder, runApt } from './private-packages.mjs';

const FOLDER_PREFIX = 'kernel-';
const DOWNLOAD_TIMEOUT_MS = 180_000;
const QUERY_TIMEOUT_MS = 20_000;
const UNPACK_TIMEOUT_MS = 120_000;

/** What a guest needs to have a network and a disk, in the order to load. */
const MODULES = [
  ...['virtio_ring', 'virtio', 'virtio_mmio', 'failover', 'net_failover', 'virtio_net'],
  'virtio_blk',
];

/** Names what was kept: a kernel of an earlier release may lack what guests need by now. */
const KEPT_FILE = 'kept-modules';

/** The kernel from an earlier set-up; undefined if there is none. */
export function findGuestKernel(toolsFolder) {
  const names = existsSync(toolsFolder) ? readdirSync(toolsFolder).sort().reverse() : [];
  const name = names.find(
    (one) =>
      one.startsWith(FOLDER_PREFIX) &&
      existsSync(join(toolsFolder, one, 'vmlinuz')) &&
      readIfThere(join(toolsFolder, one, KEPT_FILE)) === MODULES.join('\n'),
  );
  if (name === undefined) return undefined;
  return { path: join(toolsFolder, name), version: name.slice(FOLDER_PREFIX.length) };
}

/**
 * Fetches Debian's cloud kernel with the system's package lists, else with lists of its own, and
 * keeps what a guest needs of it. Returns why that failed, or nothing.
 *
 * @param {() => import('./private-packages.mjs').PrivatePackages | undefined} openOwnRelease
 */
export async function fetchGuestKernel(toolsFolder, machine, openOwnRelease) {
  const metapackage = `linux-image-cloud-${machine.debian}`;
  const folders = [makeWorkFolder(toolsFolder)];
  try {
    const reason = await downloadWithSystemLists(metapackage, folders[0]);
    if (reason === '') return await keepKernel(toolsFolder, folders[0]);
    const packages = openOwnRelease();
    const name = firstDependency((await packages?.query(metapackage))?.depends);
    if (name === undefined) return `the package ${metapackage} is not to be had: ${reason}`;
    const unpacked = await packages.unpack([name]);
    if (unpacked.reason !== '') return unpacked.reason;
    folders.push(unpacked.folder);
    return await keepKernel(toolsFolder, unpacked.folder);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

async function downloadWithSystemLists(metapackage, work) {
  const shown = await runApt('apt-cache', ['show', '--no-all-versions', metapackage], {
    timeoutMs: QUERY_TIMEOUT_MS,
  });
  const name = firstDependency(/^Depends: (.*)$/m.exec(shown.stdout)?.[1]);
  if (name === undefined) return `the package ${metapackage} is in no list`;
  const words = ['download', '-o', 'APT::Sandbox::User=', '-o', 'Acquire::http::Timeout=20', name];
  const download = await runApt('apt-get', words, { timeoutMs: DOWNLOAD_TIMEOUT_MS, folder: work });
  if (!download.ok) return download.reason;
  const archive = readdirSync(work).find((one) => one.endsWith('.deb'));
  if (archive === undefined) return `${name} did not arrive`;
  const unpacking = ['-x', join(work, archive), join(work, 'root')];
  const unpacked = await runCommand('dpkg-deb', unpacking, { timeoutMs: UNPACK_TIMEOUT_MS });
  return unpacked.reason;
}

/** `linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)` and the like. */
function firstDependency(depends) {
  return /^(linux-image-[a-z0-9.+-]+)/.exec(depends ?? '')?.[1];
}

/** Copies the kernel and its modules out of the unpacked package. */
async function keepKernel(toolsFolder, work) {
  const boot = join(work, 'root', 'boot');
  const image = readdirSync(boot).find((name) => name.startsWith('vmlinuz-'));
  if (image === undefined) return 'the kernel package holds no vmlinuz';
  const release = image.slice('vmlinuz-'.length);
  const draft = join(work, 'kept');
  mkdirSync(join(draft, 'modules'), { recursive: true });
  copyFileSync(join(boot, image), join(draft, 'vmlinuz'));
  const reason = await keepModules(findModuleFolder(work, release), join(draft, 'modules'));
  if (reason !== '') return reason;
  writeFileSync(join(draft, KEPT_FILE), MODULES.join('\n'));
  installFolder(draft, join(toolsFolder, `${FOLDER_PREFIX}${release}`));
  return '';
}

function findModuleFolder(work, release) {
  const folders = ['lib', join('usr', 'lib')].map((one) =>
    join(work, 'root', one, 'modules', release),
  );
  return folders.find((folder) => existsSync(folder)) ?? folders[0];
}

async function keepModules(folder, target) {
  const files = listFiles(join(folder, 'kernel'));
  const builtIn = existsSync(join(folder, 'modules.builtin'))
    ? readFileSync(join(folder, 'modules.builtin'), 'utf8').split('\n')
    : [];
  for (const [index, name] of MODULES.entries()) {
    const path = files.find((one) => basename(one).replace(/\.xz$/, '') === `${name}.ko`);
    if (path === undefined) {
      if (builtIn.some((one) => basename(one) === `${name}.ko`)) continue;
      return `the kernel package has no module ${name}`;
    }
    const kept = join(target, `${String(index).padStart(2, '0')}-${name}.ko`);
    copyFileSync(path, path.endsWith('.xz') ? `${kept}.xz` : kept);
    if (!path.endsWith('.xz')) continue;
    const run = await runCommand('xz', ['-d', `${kept}.xz`], { timeoutMs: UNPACK_TIMEOUT_MS });
    if (!run.ok) return run.reason;
  }
  return '';
}

function listFiles(folder) {
  const files = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...listFiles(path));
    else files.push(path);
  }
  return files;
}
