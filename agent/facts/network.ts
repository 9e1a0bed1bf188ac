import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { DeviceFacts } from '../../schemas/device.ts';
import { boundedText, known, readFact, readLinkFact } from './sources.ts';
import type { FactRoots } from './sources.ts';

type Network = NonNullable<DeviceFacts['network']>;

/** Drivers of cards that a hypervisor pretends. */
const VIRTUAL_DRIVERS = /^(virtio|xen|vif$|hv_|vmxnet|ena$|gve$)/;

/** The interface that leads out of the device; undefined without a default route. */
export function readNetworkFact(roots: FactRoots): Network | undefined {
  const name =
    defaultInterface(readFact(join(roots.proc, 'net/route')) ?? '') ??
    defaultInterfaceV6(readFact(join(roots.proc, 'net/ipv6_route')) ?? '');
  if (name === undefined) return undefined;
  const folder = join(roots.sys, 'class/net', name);
  const driver = readLinkFact(join(folder, 'device/driver'));
  const speed = Number(readFact(join(folder, 'speed')));
  return known({
    interface: boundedText(name),
    kind: kindOfInterface(folder, driver === undefined ? undefined : basename(driver)),
    driver: driver === undefined ? undefined : boundedText(basename(driver)),
    // Drivers that do not know give -1, or its 32 bits, or fail.
    speedMbps: Number.isInteger(speed) && speed > 0 && speed < 1e7 ? speed : undefined,
  });
}

function kindOfInterface(folder: string, driver: string | undefined): Network['kind'] {
  const isWireless = ['wireless', 'phy80211'].some((name) => existsSync(join(folder, name)));
  if (isWireless) return 'wireless';
  if (!existsSync(join(folder, 'device'))) return 'virtual';
  return driver !== undefined && VIRTUAL_DRIVERS.test(driver) ? 'virtual' : 'wired';
}

/** Interface of the default route with the lowest metric, from /proc/net/route. */
export function defaultInterface(table: string): string | undefined {
  const routes = table.split('\n').flatMap((line) => {
    const [name = '', destination, , , , , metric = '', mask] = line.split('\t');
    const isDefault = destination === '00000000' && mask?.trim() === '00000000';
    return isDefault ? [{ name, metric: Number(metric) }] : [];
  });
  return routes.toSorted((a, b) => a.metric - b.metric)[0]?.name;
}

/** The same from /proc/net/ipv6_route, where all numbers are hexadecimal. */
function defaultInterfaceV6(table: string): string | undefined {
  const routes = table.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const [destination, length] = words;
    const name = words.at(-1) ?? '';
    if (destination !== '0'.repeat(32) || length !== '00' || name === 'lo') return [];
    return [{ name, metric: Number.parseInt(words[5] ?? '', 16) }];
  });
  return routes.toSorted((a, b) => a.metric - b.metric)[0]?.name;
}
