import type { z } from 'zod';
import type { Bus } from '../../bus/bus.ts';
import type { ClocksReply } from '../../schemas/control.ts';
import { toFailure } from '../../schemas/failure.ts';
import type { SelectableDevice } from '../planning/device-selection.ts';
import { commandDevice } from './device-commands.ts';

type SurveyedDevice = z.output<typeof ClocksReply>['devices'][number];

/** Time for one device's burst of clock probes, ms. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Devices that are asked at the same time: more bursts at once would widen each other's bounds. */
const TOGETHER_MAX = 4;

/** The longest that a survey of so many devices takes, ms: that of none that answer. */
export function surveyTimeoutMs(devices: number): number {
  return Math.ceil(devices / TOGETHER_MAX) * ANSWER_TIMEOUT_MS;
}

/** Asks every device that is online for its clock. Those that can't tell say why. */
export async function surveyClocks(
  bus: Bus,
  devices: readonly SelectableDevice[],
): Promise<SurveyedDevice[]> {
  const waiting = devices.filter(({ online }) => online).map(({ presence }) => presence.deviceId);
  const found: SurveyedDevice[] = [];
  const next = async (): Promise<void> => {
    for (let deviceId = waiting.shift(); deviceId !== undefined; deviceId = waiting.shift()) {
      found.push(await surveyOne(bus, deviceId));
    }
  };
  await Promise.all(Array.from({ length: TOGETHER_MAX }, next));
  return found.toSorted((left, right) => left.deviceId.localeCompare(right.deviceId));
}

async function surveyOne(bus: Bus, deviceId: string): Promise<SurveyedDevice> {
  try {
    const target = { deviceId, verb: 'clock', timeoutMs: ANSWER_TIMEOUT_MS } as const;
    const { survey } = await commandDevice(bus, target, {});
    return { deviceId, survey };
  } catch (error) {
    return { deviceId, failure: toFailure(error) };
  }
}
