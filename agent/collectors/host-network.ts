import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessageOf } from '../../schemas/errors.ts';
import type { SampledMetric } from '../../schemas/telemetry-names.ts';
import type { HostCollector, SeriesIdentity } from './collector.ts';
import { openFiles } from './file-source.ts';
import { interfacesOf, networkTable } from './network-table.ts';
import type { NetworkColumn, NetworkCount } from './network-table.ts';

const METRICS: readonly (readonly [SampledMetric, NetworkCount])[] = [
  ['system.network.io', 'bytes'],
  ['system.network.packet.count', 'packets'],
  ['system.network.packet.dropped', 'dropped'],
  ['system.network.errors', 'errors'],
];
const COLUMNS: readonly NetworkColumn[] = METRICS.flatMap(([, count]) => [
  { count, direction: 'receive' },
  { count, direction: 'transmit' },
]);

/** More than a device has; a host full of containers has that many virtual ones. */
const INTERFACES_MAX = 256;

/**
 * Traffic of the interfaces of the host but loopback, as far as they exist when it is opened.
 * Source: proc_pid_net(5).
 */
export const hostNetwork: HostCollector = {
  source: 'host-network',
  open(roots) {
    const path = join(roots.proc, 'net/dev');
    let text: string;
    try {
      text = readFileSync(path, 'latin1');
    } catch (error) {
      return { unavailable: errorMessageOf(error), remedy: 'mount procfs at /proc' };
    }
    const names = interfacesOf(text).filter((name) => name !== 'lo');
    if (names.length === 0) return { unavailable: `${path} has no interface but loopback` };
    const kept = names.slice(0, INTERFACES_MAX);
    const parse = networkTable(kept, COLUMNS);
    return openFiles([{ path, series: kept.flatMap(seriesOf), parse, inRecords: true }]);
  },
};

function seriesOf(name: string): SeriesIdentity[] {
  return METRICS.flatMap(([metric]) =>
    ['receive', 'transmit'].map((direction) => ({
      metric,
      attributes: { 'network.interface.name': name, 'network.io.direction': direction },
    })),
  );
}
