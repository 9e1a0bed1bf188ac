import type { UtcStatus } from '../../schemas/clock.ts';
import { runCommand } from '../sandboxes/command.ts';

const ASK_TIMEOUT_MS = 2000;

/**
 * What the machine's time daemon says of its wall clock: chrony if it answers, else
 * systemd-timesyncd. Undefined if neither does. Never throws.
 */
export async function readUtcStatus(): Promise<UtcStatus | undefined> {
  return (
    (await ask(['chronyc', '-n', '-c', 'tracking'], parseChronyTracking)) ??
    (await ask(['timedatectl', 'show-timesync', '--all'], parseTimesync))
  );
}

async function ask(
  command: readonly string[],
  parse: (text: string) => UtcStatus | undefined,
): Promise<UtcStatus | undefined> {
  try {
    const { stdout } = await runCommand(command, { timeoutMs: ASK_TIMEOUT_MS });
    return parse(stdout);
  } catch {
    // Not installed, or not running: it tells nothing.
    return undefined;
  }
}

// Fields of `chronyc -c tracking` (chronyc(1)): reference id, name, stratum, reference time, system
// time, last offset, RMS offset, frequency, residual, skew, root delay, root dispersion, update
// interval, leap status; seconds.
const CHRONY_FIELDS = 14;
const CHRONY = { name: 1, systemTime: 4, rootDelay: 10, rootDispersion: 11, leap: 13 } as const;

/**
 * Reads the line of `chronyc -c tracking`. The error is chrony's own bound: its correction still to
 * come, plus root dispersion, plus half the root delay (chronyc(1), section tracking).
 */
export function parseChronyTracking(text: string): UtcStatus | undefined {
  const fields = text.trim().split(',');
  if (fields.length < CHRONY_FIELDS) return undefined;
  const seconds = (index: number): number => Number(fields[index]);
  const errorS =
    Math.abs(seconds(CHRONY.systemTime)) +
    seconds(CHRONY.rootDispersion) +
    seconds(CHRONY.rootDelay) / 2;
  const isSynchronised = fields[CHRONY.leap] !== 'Not synchronised';
  const name = fields[CHRONY.name] ?? '';
  return {
    source: 'chrony',
    isSynchronised,
    ...(isSynchronised && Number.isFinite(errorS) ? { errorNs: toNs(errorS) } : {}),
    detail: (name === '' ? 'no server' : name).slice(0, 256),
  };
}

/**
 * Reads `timedatectl show-timesync --all`. The error is the root distance as timedatectl(1) has it:
 * root delay / 2 + root dispersion of the server. The way between it and this device is not in it,
 * because the stamps of the last reply are printed to the second only.
 */
export function parseTimesync(text: string): UtcStatus | undefined {
  const value = (key: string): string | undefined =>
    new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1]?.trim();
  const server = value('ServerName');
  if (server === undefined) return undefined;
  const message = value('NTPMessage') ?? '';
  const field = (key: string): string | undefined =>
    new RegExp(`\\b${key}=([^,}]+)`).exec(message)?.[1]?.trim();
  const rootDelayNs = parseSpan(field('RootDelay'));
  const dispersionNs = parseSpan(field('RootDispersion'));
  const isSynchronised = message !== '' && field('Ignored') !== 'yes';
  const isKnown = rootDelayNs !== undefined && dispersionNs !== undefined && isSynchronised;
  return {
    source: 'timesyncd',
    isSynchronised,
    ...(isKnown ? { errorNs: rootDelayNs / 2n + dispersionNs } : {}),
    detail: (server === '' ? 'no server' : server).slice(0, 256),
  };
}

const SPAN_UNITS_NS: Readonly<Record<string, bigint>> = {
  us: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  min: 60_000_000_000n,
};

/** Reads a time span as systemd prints it, e.g. `1.525ms` or `1s 20ms` (systemd.time(7)), ns. */
export function parseSpan(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (text === '0') return 0n;
  let sumNs = 0n;
  for (const part of text.split(/\s+/)) {
    const match = /^(\d+(?:\.\d+)?)(us|ms|s|min)$/.exec(part);
    const unitNs = SPAN_UNITS_NS[match?.[2] ?? ''];
    if (match?.[1] === undefined || unitNs === undefined) return undefined;
    sumNs += BigInt(Math.round(Number(match[1]) * Number(unitNs)));
  }
  return sumNs;
}

function toNs(seconds: number): bigint {
  return BigInt(Math.ceil(seconds * 1e9));
}
