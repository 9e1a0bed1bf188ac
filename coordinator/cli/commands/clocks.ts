import type { z } from 'zod';
import type { ClockSurvey } from '../../../schemas/clock.ts';
import { ClocksReply } from '../../../schemas/control.ts';
import { nanosecondsToMs } from '../../../schemas/units.ts';
import { surveyTimeoutMs } from '../../dispatch/clock-survey.ts';
import type { ClientOptions } from '../client.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { withClient } from '../session.ts';
import type { Work } from '../session.ts';
import { textTable } from '../text-table.ts';

type SurveyedDevice = z.output<typeof ClocksReply>['devices'][number];

const HEADER = [
  'device',
  'offset (ms)',
  'bound (us)',
  'drift (ppm)',
  'round trip (us)',
  'probes',
  'class',
  'UTC',
];

/** Time for the ways between this command, the server and the coordinator, ms. */
const ANSWER_MARGIN_MS = 10_000;

/**
 * Asks every device that is online how its clock stands to fleet time now. The exit code is 1 if
 * one of them could not tell.
 */
export function clocks(options: ClientOptions & { json?: boolean }): Work {
  return withClient(options, async (client, { output }) => {
    const known = (await client.ask('devices', {})).devices;
    const online = known.filter((device) => device.online);
    const timeoutMs = surveyTimeoutMs(online.length) + ANSWER_MARGIN_MS;
    output.live(`asking ${online.length} devices for their clocks`);
    const { devices } = await client.ask('clocks', {}, timeoutMs);
    if (options.json === true) {
      const encoded = ClocksReply.shape.devices.encode(devices);
      output.result(JSON.stringify(encoded, null, 2));
    } else {
      output.result(clockTable(devices));
      for (const line of clockRemarks(devices)) output.say(line);
      const away = known.filter((device) => !device.online).map((device) => device.presence);
      if (away.length > 0) {
        output.say(`not asked, offline: ${away.map(({ deviceId }) => deviceId).join(', ')}`);
      }
    }
    const isComplete = devices.every(({ survey }) => survey !== undefined);
    return isComplete ? EXIT_CODES.ok : EXIT_CODES.failed;
  });
}

/** The clocks of the devices that told, a row each. */
export function clockTable(devices: readonly SurveyedDevice[]): string {
  const rows = devices.flatMap(({ deviceId, survey }) =>
    survey === undefined ? [] : [clockRow(deviceId, survey)],
  );
  return textTable(HEADER, rows);
}

/** What people should know beside the table: who could not tell, and who is not real-time. */
export function clockRemarks(devices: readonly SurveyedDevice[]): string[] {
  const refusals = devices.flatMap(({ deviceId, failure }) => {
    if (failure === undefined) return [];
    const reason = failure.code === 'AGENT_BUSY' ? 'busy: it serves a run' : failure.message;
    const line = `${deviceId}: no clock: ${reason}`;
    return failure.hint === undefined ? [line] : [line, `  hint: ${failure.hint}`];
  });
  return [...refusals, ...schedulingRemarks(devices)];
}

/** A line per reason: where none may be real-time, all say the same. */
function schedulingRemarks(devices: readonly SurveyedDevice[]): string[] {
  const devicesByReason = new Map<string, string[]>();
  for (const { deviceId, survey } of devices) {
    if (survey?.schedulingReason === undefined) continue;
    const withSame = devicesByReason.get(survey.schedulingReason) ?? [];
    devicesByReason.set(survey.schedulingReason, [...withSame, deviceId]);
  }
  return [...devicesByReason].map(
    ([reason, deviceIds]) => `${deviceIds.join(', ')}: ordinary class: ${reason}`,
  );
}

function clockRow(deviceId: string, { clock, schedulingClass, utc }: ClockSurvey): string[] {
  return [
    deviceId,
    formatDecimals(nanosecondsToMs(clock.offsetNs), 3),
    formatUs(clock.boundNs),
    clock.driftPpb === undefined ? '-' : formatDecimals(clock.driftPpb / 1000, 2),
    formatUs(clock.roundTripMinNs),
    String(clock.probes),
    schedulingClass,
    formatUtc(utc),
  ];
}

// A device's UTC is not held against the coordinator's: the answer is too long under way for that.
function formatUtc(utc: ClockSurvey['utc']): string {
  if (utc === undefined) return 'unknown: no time daemon tells';
  const { source, isSynchronised, errorNs, detail } = utc;
  if (!isSynchronised) return `${source}: not synchronised (${detail})`;
  const error =
    errorNs === undefined ? 'unknown' : `${formatDecimals(nanosecondsToMs(errorNs), 3)} ms`;
  return `${source}: error ${error} (${detail})`;
}

function formatUs(valueNs: bigint): string {
  return formatDecimals(Number(valueNs) / 1000, 1);
}

function formatDecimals(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text;
}
