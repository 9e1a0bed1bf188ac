import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostCollector, OpenedSource, Reading, Roots, SlowSource } from './collector.ts';
import { listNames, readName } from './hwmon.ts';
import { SensorFile } from './sensor-file.ts';
import { FirmwareQuestion, findVcgencmd } from './vcgencmd.ts';

/**
 * Whether the processors are slowed down: what the firmware of a Raspberry Pi says, and how often
 * heat did it to an x86 processor. Sources: Raspberry Pi documentation, vcgencmd get_throttled; the
 * kernel's drivers/hwmon/raspberrypi-hwmon.c and arch/x86/kernel/cpu/mce/therm_throt.c.
 */
export const throttling: HostCollector = {
  source: 'throttling',
  open: (roots) => openThrottling(roots, findVcgencmd(roots)),
};

/** @param vcgencmd path of the program; undefined: there is none. */
export function openThrottling(roots: Roots, vcgencmd: string | undefined): OpenedSource {
  const readers = [...firmwareReaders(roots, vcgencmd), ...throttleCounters(roots.sys)];
  if (readers.length > 0) return new Throttling(readers);
  return {
    unavailable: 'neither the firmware nor the processor tells whether it is throttled',
    remedy: 'on a Raspberry Pi: apt-get install raspi-utils; virtual machines are not told',
  };
}

type Reader = () => Promise<readonly Reading[]>;

class Throttling implements SlowSource {
  readonly pace = 'slow';
  readonly limit = {
    hz: 1,
    reason: 'the firmware is asked by a process of its own, or every 2 s by the kernel',
  };
  readonly #readers: readonly Reader[];

  constructor(readers: readonly Reader[]) {
    this.#readers = readers;
  }

  async read(): Promise<readonly Reading[] | 'absent'> {
    const readings = (await Promise.all(this.#readers.map((read) => read()))).flat();
    return readings.length === 0 ? 'absent' : readings;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Bit of each condition that holds now; 16 above it is that it held at any time since the boot. */
const CONDITIONS = ['under-voltage', 'frequency-capped', 'throttled', 'soft-temperature-limit'];
const SINCE_BOOT_SHIFT = 16;

// The best of what there is. Only vcgencmd knows what was since the boot: the kernel asks the
// firmware every 2 s and has it forget then, so its files tell what was since it asked before.
function firmwareReaders(roots: Roots, vcgencmd: string | undefined): Reader[] {
  if (vcgencmd !== undefined) {
    const question = new FirmwareQuestion(vcgencmd, 'get_throttled');
    return [async () => throttledReadings((await question.ask()) ?? '')];
  }
  const file = findThrottledFile(roots.sys);
  if (file !== undefined) return [() => Promise.resolve(readThrottledFile(file))];
  const alarm = findVoltageAlarm(roots.sys);
  return alarm === undefined ? [] : [() => readVoltageAlarm(alarm)];
}

// The folder of the firmware is named after its place in the device tree, which differs by model.
function findThrottledFile(sys: string): string | undefined {
  const platform = join(sys, 'devices', 'platform');
  const folders = listNames(platform).filter((name) => name.startsWith('soc'));
  return folders
    .flatMap((folder) =>
      [folder, ...listNames(join(platform, folder)).map((name) => join(folder, name))]
        .filter((name) => name.endsWith('firmware'))
        .map((name) => join(platform, name, 'get_throttled')),
    )
    .find((file) => existsSync(file));
}

function readThrottledFile(file: string): readonly Reading[] {
  try {
    const word = parseThrottled(readFileSync(file, 'latin1'));
    if (word === undefined) return [];
    const recent = word | (word >> SINCE_BOOT_SHIFT);
    return CONDITIONS.map((condition, bit) =>
      throttledReading(condition, 'now', (recent >> bit) & 1),
    );
  } catch {
    return [];
  }
}

function throttledReadings(text: string): Reading[] {
  const word = parseThrottled(text);
  if (word === undefined) return [];
  return CONDITIONS.flatMap((condition, bit) => [
    throttledReading(condition, 'now', (word >> bit) & 1),
    throttledReading(condition, 'boot', (word >> (bit + SINCE_BOOT_SHIFT)) & 1),
  ]);
}

/**
 * Reads the word of the firmware from what vcgencmd prints (`throttled=0x50005`) or the kernel's
 * file has (`50005`). Undefined if it is neither.
 */
export function parseThrottled(text: string): number | undefined {
  const digits = /^(?:throttled=0x)?([0-9a-f]{1,8})$/i.exec(text.trim())?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

function throttledReading(condition: string, since: string, value: number): Reading {
  return {
    metric: 'lockstep.host.throttled',
    attributes: { 'lockstep.condition': condition, 'lockstep.since': since },
    value,
  };
}

function findVoltageAlarm(sys: string): SensorFile | undefined {
  const root = join(sys, 'class', 'hwmon');
  const monitor = listNames(root).find((name) => readName(join(root, name, 'name')) === 'rpi_volt');
  const file = monitor === undefined ? '' : join(root, monitor, 'in0_lcrit_alarm');
  return existsSync(file) ? new SensorFile(file) : undefined;
}

async function readVoltageAlarm(alarm: SensorFile): Promise<readonly Reading[]> {
  const value = await alarm.read();
  return value === undefined ? [] : [throttledReading('under-voltage', 'now', value === 0 ? 0 : 1)];
}

function throttleCounters(sys: string): Reader[] {
  const root = join(sys, 'devices', 'system', 'cpu');
  const counters = listNames(root)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => ({
      processor: name.slice('cpu'.length),
      path: join(root, name, 'thermal_throttle', 'core_throttle_count'),
    }))
    .filter(({ path }) => existsSync(path))
    .map(({ processor, path }) => ({ processor, file: new SensorFile(path) }));
  return counters.map(({ processor, file }) => async () => {
    const value = await file.read();
    if (value === undefined) return [];
    const attributes = { 'cpu.logical_number': processor };
    return [{ metric: 'lockstep.host.throttle.events', attributes, value }];
  });
}
