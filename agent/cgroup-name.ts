import { createHash } from 'node:crypto';

/**
 * The name of an agent's cgroups: its device id and a hash of its data folder, so that agents of
 * two installations on one machine that happen to have the same id never touch each other's.
 */
export function cgroupNameOf(deviceId: string, dataFolder: string): string {
  const hash = createHash('sha256').update(dataFolder).digest('hex').slice(0, 8);
  return `${deviceId.slice(0, 54)}-${hash}`;
}
