import { existsSync, realpathSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DeviceFacts } from '../../schemas/device.ts';
import { boundedText, known, listFacts, readFact, readTextFact } from './sources.ts';
import type { FactRoots } from './sources.ts';

type Disk = NonNullable<DeviceFacts['disk']>;

/** A disk may lie below a few layers, such as a volume on an encrypted partition. */
const LAYERS_MAX = 8;

/** The disk that a folder is on; undefined if the folder can't be looked at. */
export async function readDiskFact(roots: FactRoots, folder: string): Promise<Disk | undefined> {
  try {
    const space = await statfs(folder);
    const mount = findMount(
      readFact(join(roots.proc, 'self/mountinfo')) ?? '',
      realpathSync(folder),
    );
    const device = mount === undefined ? undefined : findDisk(roots, mount);
    const isMemory = mount?.fileSystem === 'tmpfs' || mount?.fileSystem === 'ramfs';
    return known({
      ...(device === undefined ? {} : describeDisk(roots, device)),
      ...(isMemory ? { kind: 'memory' as const } : {}),
      fileSystem: mount === undefined ? undefined : boundedText(mount.fileSystem),
      sizeBytes: space.blocks * space.bsize,
      freeBytes: space.bavail * space.bsize,
    });
  } catch {
    return undefined;
  }
}

/** Where a folder is mounted from. */
export interface Mount {
  /** Number of the device, `major:minor`. */
  readonly number: string;
  readonly fileSystem: string;
  /** What is mounted, such as /dev/sda1. */
  readonly source: string;
}

/** The innermost mount that a folder is below, from the text of mountinfo; see proc(5). */
export function findMount(mountinfo: string, folder: string): Mount | undefined {
  let found: { mount: Mount; length: number } | undefined;
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ', 2);
    const [, , number = '', , encoded = ''] = left.split(' ');
    const point = encoded.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 8)),
    );
    const isAbove = point === '/' || folder === point || folder.startsWith(`${point}/`);
    // Of two mounts on one point the later hides the other.
    if (point === '' || !isAbove || point.length < (found?.length ?? 0)) continue;
    const [fileSystem = '', source = ''] = right.split(' ');
    found = { mount: { number, fileSystem, source }, length: point.length };
  }
  return found?.mount;
}

/** Name of the whole disk below partitions and layers; undefined if there is none. */
function findDisk(roots: FactRoots, { number, source }: Mount): string | undefined {
  const byNumber = join(roots.sys, 'dev/block', number);
  const byName = join(roots.sys, 'class/block', basename(source));
  let path = [byNumber, byName].find((one) => existsSync(one));
  if (path === undefined) return undefined;
  for (let layer = 0; layer < LAYERS_MAX; layer += 1) {
    path = realpathSync(path);
    if (existsSync(join(path, 'partition'))) path = dirname(path);
    const [below] = listFacts(join(path, 'slaves'));
    if (below === undefined) return basename(path);
    path = join(roots.sys, 'class/block', below);
  }
  return undefined;
}

function describeDisk(roots: FactRoots, device: string): Pick<Disk, 'device' | 'model' | 'kind'> {
  const folder = realpathSync(join(roots.sys, 'class/block', device));
  return known({
    device: boundedText(device),
    model: readTextFact(join(folder, 'device/model')) ?? readTextFact(join(folder, 'device/name')),
    kind: kindOfDisk(device, folder),
  });
}

function kindOfDisk(device: string, folder: string): Disk['kind'] {
  if (/^(vd|xvd)/.test(device)) return 'virtual';
  if (device.startsWith('nvme')) return 'nvme';
  if (device.startsWith('mmcblk')) {
    return readFact(join(folder, 'device/type')) === 'MMC' ? 'emmc' : 'sd-card';
  }
  if (/\/usb\d/.test(folder)) return 'usb';
  const rotates = readFact(join(folder, 'queue/rotational'));
  if (!device.startsWith('sd')) return undefined;
  return rotates === '1' ? 'hdd' : rotates === '0' ? 'ssd' : undefined;
}
