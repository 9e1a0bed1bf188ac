import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { wordBytes } from './byte-scan.ts';
import type { ByteScan } from './byte-scan.ts';
import type { CgroupFolders, SandboxCollector, SeriesIdentity, Unavailable } from './collector.ts';
import { openFiles } from './file-source.ts';
import type { FilePart, ParseText } from './file-source.ts';
import { missingController } from './missing-controller.ts';

type IoMetric = 'container.disk.io' | 'lockstep.sandbox.disk.operations';

const directions = (metric: IoMetric): SeriesIdentity[] =>
  ['read', 'write'].map((direction) => ({
    metric,
    attributes: { 'disk.io.direction': direction },
  }));
const BYTES = directions('container.disk.io');
const OPERATIONS = directions('lockstep.sandbox.disk.operations');

/**
 * Block I/O of a sandbox, added up over all devices. What the page cache serves or takes is none.
 * Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/blkio-controller.rst.
 */
export const cgroupIo: SandboxCollector = {
  source: 'cgroup-io',
  open({ cgroup }) {
    const { io } = cgroup;
    if (io === undefined) return missingController(cgroup, 'io');
    const options = { mayComeLater: true };
    if (cgroup.mode === 'v2') {
      const path = join(io, 'io.stat');
      const series = [...BYTES, ...OPERATIONS];
      return openFiles([{ path, series, parse: parseIoStat, stepsBack: true }], options);
    }
    return whyNotCounted(cgroup, io) ?? openFiles(partsV1(io), options);
  },
};

function partsV1(folder: string): FilePart[] {
  return [
    v1Part(folder, 'blkio.throttle.io_service_bytes', BYTES),
    v1Part(folder, 'blkio.throttle.io_serviced', OPERATIONS),
  ];
}

function v1Part(folder: string, name: string, series: readonly SeriesIdentity[]): FilePart {
  // A device that goes takes its share of the sum with it.
  return { path: join(folder, name), series, parse: parseBlkio, stepsBack: true };
}

// Newer kernels count for a device on version 1 only once a limit was set for it; the group of all
// groups shows whether that is so.
function whyNotCounted(cgroup: CgroupFolders, folder: string): Unavailable | undefined {
  const name = 'blkio.throttle.io_service_bytes';
  let top = folder;
  while (existsSync(join(dirname(top), name))) top = dirname(top);
  try {
    if (/^\d+:\d+ /m.test(readFileSync(join(top, name), 'latin1'))) return undefined;
  } catch {
    return missingController(cgroup, 'io');
  }
  return {
    unavailable: `this kernel counts no block I/O on version 1: ${join(top, name)} has no device`,
    remedy: 'boot with version 2: systemd.unified_cgroup_hierarchy=1 on the kernel command line',
  };
}

const IO_KEYS = ['rbytes=', 'wbytes=', 'rios=', 'wios='].map(wordBytes);
const READ = wordBytes('Read ');
const WRITE = wordBytes('Write ');
const TOTAL = wordBytes('Total ');

/**
 * io.stat of version 2: bytes read and written, then operations. A text without any device is that
 * of a group that did no I/O; one that is cut tells nothing, since what is missing would be 0.
 * Some kernels leave out a line end, so a line may name two devices.
 */
export const parseIoStat: ParseText = (scan, row, at) => {
  row.fill(scan.isWhole ? 0 : Number.NaN, at, at + IO_KEYS.length);
  scan.skipBlanks();
  while (!scan.isAtEnd) {
    const place = passIoKey(scan);
    if (place !== undefined) add(row, at + place, scan.integer());
    else if (!passOtherWord(scan)) row.fill(Number.NaN, at, at + IO_KEYS.length);
    scan.skipBlanks();
  }
};

function passIoKey(scan: ByteScan): number | undefined {
  for (let place = 0; place < IO_KEYS.length; place += 1) {
    const key = IO_KEYS[place];
    if (key !== undefined && scan.skipIf(key)) return place;
  }
  return undefined;
}

const COLON = wordBytes(':');
const EQUALS = wordBytes('=');

// Numbers of a device with a colon, or another key with its value; anything else is no io.stat.
function passOtherWord(scan: ByteScan): boolean {
  const start = scan.position;
  scan.skipWord();
  for (let index = start + 1; index < scan.position; index += 1) {
    if (scan.hasAt(index, COLON) || scan.hasAt(index, EQUALS)) return true;
  }
  return false;
}

/** A blkio file of version 1: what was read and written. Its last line shows that it is whole. */
export const parseBlkio: ParseText = (scan, row, at) => {
  row.fill(0, at, at + 2);
  let isWhole = false;
  while (!scan.isAtEnd) {
    if (scan.skipIf(TOTAL)) isWhole = !Number.isNaN(scan.integer());
    scan.skipWord();
    scan.skipGaps();
    if (scan.skipIf(READ)) add(row, at, scan.integer());
    else if (scan.skipIf(WRITE)) add(row, at + 1, scan.integer());
    scan.skipLine();
  }
  if (!isWhole) row.fill(Number.NaN, at, at + 2);
};

function add(row: Float64Array, at: number, value: number): void {
  row[at] = (row[at] ?? Number.NaN) + value;
}
