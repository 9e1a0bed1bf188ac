import type { Device } from '../../schemas/device.ts';
import type { HostSummary } from './run-summary.ts';

/**
 * Groups devices by the machine and boot they run on. Agents on one host share its processors,
 * page cache and disturbances, so they never count as independent devices.
 *
 * The boot id decides alone where there is one: a kernel draws it anew at each boot. A machine id
 * may be the same on machines that were flashed from one image, and differ between containers on
 * one kernel.
 *
 * @returns hosts in the order of their first device id
 */
export function hostsOf(devices: readonly Device[]): HostSummary[] {
  const deviceIdsByKey = new Map<string, string[]>();
  const ordered = devices.toSorted((a, b) => (a.presence.deviceId < b.presence.deviceId ? -1 : 1));
  for (const { presence } of ordered) {
    const key = hostKey(presence.deviceId, presence.facts.machineId, presence.facts.bootId);
    const sharing = deviceIdsByKey.get(key);
    if (sharing === undefined) deviceIdsByKey.set(key, [presence.deviceId]);
    else if (!sharing.includes(presence.deviceId)) sharing.push(presence.deviceId);
  }
  return [...deviceIdsByKey.values()].map((deviceIds, index) => ({
    host: `host-${index + 1}`,
    deviceIds,
  }));
}

/** The host of each device. A device that no host lists is a host of its own, by its id. */
export function hostFinder(hosts: readonly HostSummary[]): (deviceId: string) => string {
  const hostByDevice = new Map<string, string>();
  for (const { host, deviceIds } of hosts) {
    for (const deviceId of deviceIds) hostByDevice.set(deviceId, host);
  }
  return (deviceId) => hostByDevice.get(deviceId) ?? deviceId;
}

function hostKey(deviceId: string, machineId: string, bootId: string): string {
  if (bootId !== '') return `boot ${bootId}`;
  return machineId === '' ? `device ${deviceId}` : `machine ${machineId}`;
}
