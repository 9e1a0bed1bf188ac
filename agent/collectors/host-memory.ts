import { join } from 'node:path';
import type { HostCollector, RateLimit, SeriesIdentity } from './collector.ts';
import { keyedNumbers, openFiles } from './file-source.ts';
import type { ParseText } from './file-source.ts';

const STATES = ['used', 'free', 'buffers', 'cached'] as const;
const AVAILABLE: SeriesIdentity = { metric: 'system.memory.linux.available' };
const BYTES_PER_KIB = 1024;

const LIMIT: RateLimit = {
  hz: 100,
  reason: 'the kernel gathers what its processors counted once a second, or when it is much',
};

/** Memory of the host by use. Source: proc_meminfo(5). */
export const hostMemory: HostCollector = {
  source: 'host-memory',
  open(roots) {
    const path = join(roots.proc, 'meminfo');
    const states = STATES.map((state): SeriesIdentity => ({
      metric: 'system.memory.usage',
      attributes: { 'system.memory.state': state },
    }));
    return openFiles([{ path, series: [...states, AVAILABLE], parse: parseMeminfo }], {
      limit: LIMIT,
    });
  },
};

const parseKeys = keyedNumbers(
  ['MemTotal', 'MemFree', 'Buffers', 'Cached', 'MemAvailable'].map((key) => [
    key,
    1 / BYTES_PER_KIB,
  ]),
);

/** /proc/meminfo: used, free, buffers and cached, which add up to all there is; then available. */
export const parseMeminfo: ParseText = (scan, row, at) => {
  parseKeys(scan, row, at);
  let used = row[at] ?? Number.NaN;
  for (let place = 1; place < STATES.length; place += 1) used -= row[at + place] ?? Number.NaN;
  row[at] = used >= 0 ? used : Number.NaN;
};
