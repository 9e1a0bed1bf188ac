import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** One input of a hardware monitor. */
export interface HwmonInput {
  /** As the kernel names it: `hwmon0/temp1`. */
  readonly id: string;
  /** The name of the chip, and of the input if it has one: `k10temp Tctl`. */
  readonly name: string;
  readonly file: string;
}

const INPUTS_MAX = 256;
const NAME_CHARACTERS_MAX = 100;

/**
 * Finds the inputs of all hardware monitors whose file matches, such as `temp1_input`. Those that
 * only repeat a thermal zone are left out. Source: the kernel's
 * Documentation/hwmon/sysfs-interface.rst.
 */
export function findHwmonInputs(sys: string, pattern: RegExp): HwmonInput[] {
  const root = join(sys, 'class', 'hwmon');
  const inputs = listNames(root).flatMap((monitor) => {
    const folder = join(root, monitor);
    if (repeatsThermalZone(folder)) return [];
    const chip = readName(join(folder, 'name'));
    return listNames(folder)
      .filter((name) => pattern.test(name))
      .map((name) => {
        const input = name.replace(/_[a-z_]+$/, '');
        const label = readName(join(folder, `${input}_label`));
        const id = `${monitor}/${input}`;
        return {
          id,
          name: `${chip} ${label}`.trim().slice(0, NAME_CHARACTERS_MAX) || id,
          file: join(folder, name),
        };
      });
  });
  return inputs.slice(0, INPUTS_MAX);
}

/** Names in a folder in their natural order; empty if it is not there. */
export function listNames(folder: string): string[] {
  try {
    return readdirSync(folder).sort((one, other) =>
      one.localeCompare(other, 'en', { numeric: true }),
    );
  } catch {
    return [];
  }
}

/** The text of a small file in one line; empty if it is not there. */
export function readName(file: string): string {
  try {
    // The device tree ends its texts with a zero.
    return readFileSync(file, 'utf8').replaceAll('\0', '').trim().slice(0, NAME_CHARACTERS_MAX);
  } catch {
    return '';
  }
}

function repeatsThermalZone(folder: string): boolean {
  const device = join(folder, 'device');
  return existsSync(device) && /\/thermal_zone\d+$/.test(realpathSync(device));
}
