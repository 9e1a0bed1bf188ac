import type { Device } from '../../schemas/device.ts';
import { LockstepError } from '../../schemas/errors.ts';
import type { Experiment } from '../../schemas/experiment.ts';

/** A device of the registry and whether it was heard of lately. */
export interface SelectableDevice extends Device {
  readonly online: boolean;
}

/** Why a device was not taken: it is away, stops, or people did not label it so. */
export interface DeviceNotTaken {
  readonly deviceId: string;
  readonly reason: 'offline' | 'leaving' | 'labels';
  readonly message: string;
}

/** A device that belongs to the selection and is not free yet. */
export interface DeviceAwaited {
  readonly deviceId: string;
  readonly reason: 'busy' | 'probing';
  /** The run that it serves. Absent if it serves none or does not say. */
  readonly runId?: string;
}

/** Which devices an experiment gets. It can start once none is awaited. */
export interface DeviceChoice {
  /** Free now, by id. */
  readonly taken: readonly SelectableDevice[];
  /** Selected, but not free: the run has to queue for them. */
  readonly awaited: readonly DeviceAwaited[];
  /** The rest of the registry, with the reason. */
  readonly notTaken: readonly DeviceNotTaken[];
}

/**
 * Chooses the devices of an experiment by label. A run takes every device that matches, so one
 * that is busy or still probes makes the run wait rather than go on with fewer.
 *
 * @throws LockstepError NO_DEVICE if fewer match than the experiment asks for.
 */
export function selectDevices(
  selection: Experiment['devices'],
  devices: readonly SelectableDevice[],
): DeviceChoice {
  const taken: SelectableDevice[] = [];
  const awaited: DeviceAwaited[] = [];
  const notTaken: DeviceNotTaken[] = [];
  for (const device of devices.toSorted(byId)) {
    const { deviceId, state, runId } = device.presence;
    const refused = refuse(selection.labels, device);
    if (refused !== undefined) notTaken.push({ deviceId, ...refused });
    else if (state === 'idle') taken.push(device);
    else {
      const reason = state === 'probing' ? 'probing' : 'busy';
      awaited.push({ deviceId, reason, ...(runId === undefined ? {} : { runId }) });
    }
  }
  const count = taken.length + awaited.length;
  if (count < selection.minimum) throw tooFew(selection, count, notTaken);
  return { taken, awaited, notTaken };
}

function byId(a: SelectableDevice, b: SelectableDevice): number {
  return a.presence.deviceId < b.presence.deviceId ? -1 : 1;
}

function refuse(
  labels: Experiment['devices']['labels'],
  { online, presence }: SelectableDevice,
): Omit<DeviceNotTaken, 'deviceId'> | undefined {
  const wrong = Object.entries(labels).filter(([name, value]) => presence.labels[name] !== value);
  if (wrong.length > 0) {
    const text = wrong.map(([name, value]) => differenceOf(name, value, presence.labels[name]));
    return { reason: 'labels', message: text.join(', ') };
  }
  if (!online) return { reason: 'offline', message: 'it was not heard of lately' };
  if (presence.state === 'leaving') return { reason: 'leaving', message: 'its agent is stopping' };
  return undefined;
}

function differenceOf(name: string, wanted: string, found: string | undefined): string {
  if (found === undefined) return `it has no label ${name}`;
  return `its label ${name} is "${found}", not "${wanted}"`;
}

function tooFew(
  { labels, minimum }: Experiment['devices'],
  count: number,
  notTaken: readonly DeviceNotTaken[],
): LockstepError {
  const wanted = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const withLabels = wanted.length === 0 ? '' : ` with ${wanted.join(', ')}`;
  const others = notTaken.map(({ deviceId, message }) => `; ${deviceId}: ${message}`);
  return new LockstepError(
    'NO_DEVICE',
    `${count} of at least ${minimum} devices${withLabels} can take part` + others.join(''),
    {
      hint:
        notTaken.length === 0
          ? 'Start an agent on each device; "lockstep devices" lists those that are known.'
          : 'Start the agents that are offline, or change "devices" in the experiment.',
    },
  );
}
