import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessageOf } from '../../schemas/errors.ts';
import { wordBytes } from './byte-scan.ts';
import type { ByteScan } from './byte-scan.ts';
import type { HostCollector, SeriesIdentity } from './collector.ts';
import { openFiles } from './file-source.ts';
import type { ParseText } from './file-source.ts';

/** In diskstats a sector is that, whatever the disk has. */
const SECTOR_BYTES = 512;
const MS_PER_S = 1000;
const DISKS_MAX = 256;

/** For so many disks it is cheaper to read the file of each than that of all block devices. */
const OWN_FILES_MAX = 4;

/**
 * Block I/O of whole disks that are there when it is opened. Disks made of others (dm, md, loop)
 * and of memory are left out: their I/O is that of another, or none.
 * Source: the kernel's Documentation/admin-guide/iostats.rst and Documentation/block/stat.rst.
 */
export const hostDisk: HostCollector = {
  source: 'host-disk',
  open(roots) {
    const folder = join(roots.sys, 'block');
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch (error) {
      return { unavailable: errorMessageOf(error), remedy: 'mount sysfs at /sys' };
    }
    const disks = names.filter((name) => existsSync(join(folder, name, 'device'))).sort();
    if (disks.length === 0) return { unavailable: `${folder} has no disk with a device` };
    // The folder of a name with a slash has another sign in its place.
    const kept = disks.slice(0, DISKS_MAX).map((name) => name.replaceAll('!', '/'));
    const own = disks.map((name) => join(folder, name, 'stat'));
    if (own.length <= OWN_FILES_MAX && own.every((path) => existsSync(path))) {
      return openFiles(
        own.map((path, disk) => {
          const series = seriesOf(kept[disk] ?? '');
          return { path, series, parse: diskFigures(), mayEnd: true };
        }),
      );
    }
    const path = join(roots.proc, 'diskstats');
    const parse = diskTable(kept);
    return openFiles([{ path, series: kept.flatMap(seriesOf), parse, inRecords: true }]);
  },
};

function seriesOf(name: string): SeriesIdentity[] {
  const device = { 'system.device.name': name };
  return [
    { metric: 'system.disk.io', attributes: { ...device, 'disk.io.direction': 'read' } },
    { metric: 'system.disk.io', attributes: { ...device, 'disk.io.direction': 'write' } },
    { metric: 'system.disk.operations', attributes: { ...device, 'disk.io.direction': 'read' } },
    { metric: 'system.disk.operations', attributes: { ...device, 'disk.io.direction': 'write' } },
    { metric: 'system.disk.io_time', attributes: device },
  ];
}

// By column behind the name: the place among the series of a disk, and what the number is divided
// by: a product with 0.001 would be off in its last digits.
const COLUMNS: readonly (readonly [place: number, divisor: number] | undefined)[] = [
  [2, 1],
  undefined,
  [0, 1 / SECTOR_BYTES],
  undefined,
  [3, 1],
  undefined,
  [1, 1 / SECTOR_BYTES],
  undefined,
  undefined,
  [4, MS_PER_S],
];
const PLACES = 5;

/** The parser of /sys/block/NAME/stat: the same figures of one disk. */
function diskFigures(): ParseText {
  return (scan, row, at) => {
    row.fill(Number.NaN, at, at + PLACES);
    fillColumns(scan, row, at);
  };
}

/** The parser of /proc/diskstats: five values for each disk, NaN for one that is not in it. */
export function diskTable(disks: readonly string[]): ParseText {
  const names = disks.map((name) => wordBytes(`${name} `));
  return (scan, row, at) => {
    row.fill(Number.NaN, at, at + names.length * PLACES);
    while (!scan.isAtEnd) {
      // Numbers of the device.
      scan.integer();
      scan.integer();
      scan.skipGaps();
      for (let disk = 0; disk < names.length; disk += 1) {
        const name = names[disk];
        if (name === undefined || !scan.skipIf(name)) continue;
        fillColumns(scan, row, at + disk * PLACES);
        break;
      }
      scan.skipLine();
    }
  };
}

function fillColumns(scan: ByteScan, row: Float64Array, at: number): void {
  for (const column of COLUMNS) {
    const value = scan.integer();
    if (column !== undefined) row[at + column[0]] = value / column[1];
  }
}
