import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HostCollector, OpenedSource, Reading, Roots, SlowSource } from './collector.ts';
import { findHwmonInputs, listNames, readName } from './hwmon.ts';
import { PmicPower } from './pmic-power.ts';
import { SensorFile } from './sensor-file.ts';
import { findVcgencmd } from './vcgencmd.ts';

/**
 * Energy and power: of RAPL, of hardware monitors, and estimated from the regulator of a
 * Raspberry Pi 5. Sources: the kernel's Documentation/power/powercap/powercap.rst and
 * Documentation/hwmon/sysfs-interface.rst.
 */
export const energy: HostCollector = {
  source: 'energy',
  open: (roots) => openEnergy(roots, findVcgencmd(roots)),
};

const MODEL_WITH_PMIC = /^Raspberry Pi (?:5|500|Compute Module 5)\b/;

/** @param vcgencmd path of the program; undefined: there is none. */
export function openEnergy(roots: Roots, vcgencmd: string | undefined): OpenedSource {
  const model = readName(join(roots.proc, 'device-tree', 'model'));
  const zones = findZones(roots.sys);
  const readable = zones.filter(({ file }) => isReadable(file));
  const counters = [...readable, ...findHwmonEnergies(roots.sys)].map(
    (counter) => new EnergyCounter(counter),
  );
  const powers = findHwmonPowers(roots.sys);
  const pmic =
    vcgencmd !== undefined && MODEL_WITH_PMIC.test(model) ? new PmicPower(vcgencmd) : undefined;
  if (counters.length + powers.length > 0 || pmic !== undefined) {
    return new Energy(counters, powers, pmic);
  }
  if (zones.length > 0) {
    return {
      unavailable: `${zones[0]?.file ?? ''} is for root only, as it tells on what others compute`,
      remedy: 'run the agent as root',
    };
  }
  return explainAbsence(model);
}

function explainAbsence(model: string): OpenedSource {
  if (MODEL_WITH_PMIC.test(model)) {
    return {
      unavailable: `vcgencmd, which asks the regulator of the ${model}, is not installed`,
      remedy: 'apt-get install raspi-utils',
    };
  }
  if (model.startsWith('Raspberry Pi')) {
    return {
      unavailable: `the ${model} has nothing that measures current`,
      remedy: 'a power meter between it and its supply',
    };
  }
  return {
    unavailable: 'the kernel shows no energy counter and no power sensor',
    remedy: 'on x86 load the module intel_rapl_msr; virtual machines have none',
  };
}

interface CounterFile {
  readonly id: string;
  readonly name: string;
  readonly file: string;
  /** Where the counter begins again, uJ. Absent: it does not. */
  readonly rangeFile?: string;
}

interface PowerSensor {
  readonly id: string;
  readonly name: string;
  readonly file: SensorFile;
}

const ZONES_MAX = 64;

function findZones(sys: string): CounterFile[] {
  const root = join(sys, 'class', 'powercap');
  return listNames(root)
    .filter((id) => existsSync(join(root, id, 'energy_uj')))
    .slice(0, ZONES_MAX)
    .map((id) => ({
      id,
      name: readName(join(root, id, 'name')) || id,
      file: join(root, id, 'energy_uj'),
      rangeFile: join(root, id, 'max_energy_range_uj'),
    }));
}

function findHwmonEnergies(sys: string): CounterFile[] {
  return findHwmonInputs(sys, /^energy\d+_input$/);
}

// Some chips have the momentary power, some a mean of their own, some both.
function findHwmonPowers(sys: string): PowerSensor[] {
  const inputs = findHwmonInputs(sys, /^power\d+_input$/);
  const known = new Set(inputs.map(({ id }) => id));
  const means = findHwmonInputs(sys, /^power\d+_average$/).filter(({ id }) => !known.has(id));
  return [...inputs, ...means].map((input) => ({ ...input, file: new SensorFile(input.file) }));
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

const UJ_PER_J = 1e6;
const UW_PER_W = 1e6;

/** One counter, added up over its wraps. */
class EnergyCounter {
  readonly #counter: CounterFile;
  readonly #file: SensorFile;
  readonly #sum: WrappingSum;

  constructor(counter: CounterFile) {
    this.#counter = counter;
    this.#file = new SensorFile(counter.file);
    const range =
      counter.rangeFile === undefined ? Number.NaN : Number(readName(counter.rangeFile));
    this.#sum = new WrappingSum(range > 0 ? range : undefined);
  }

  async read(): Promise<readonly Reading[]> {
    const told = await this.#file.read();
    if (told === undefined) return [];
    const { id, name } = this.#counter;
    return [
      {
        metric: 'hw.energy',
        attributes: { 'hw.id': id, 'hw.name': name },
        value: this.#sum.add(told) / UJ_PER_J,
      },
    ];
  }
}

/** What a counter has come to since its first reading, though it begins again at its range. */
export class WrappingSum {
  readonly #range: number | undefined;
  #last: number | undefined;
  #sum = 0;

  /** @param range the highest value that it reaches; undefined: it does not begin again. */
  constructor(range: number | undefined) {
    this.#range = range;
  }

  /** Takes the next reading and returns the sum so far. One wrap between two readings is seen. */
  add(told: number): number {
    const last = this.#last ?? told;
    this.#last = told;
    if (told >= last) this.#sum += told - last;
    else if (this.#range !== undefined && last <= this.#range)
      this.#sum += this.#range - last + told;
    // Without a range it was set back, and nobody knows what there was until then.
    else this.#sum += told;
    return this.#sum;
  }
}

class Energy implements SlowSource {
  readonly pace = 'slow';
  readonly limit: SlowSource['limit'];
  readonly #counters: readonly EnergyCounter[];
  readonly #powers: readonly PowerSensor[];
  readonly #pmic: PmicPower | undefined;

  constructor(
    counters: readonly EnergyCounter[],
    powers: readonly PowerSensor[],
    pmic: PmicPower | undefined,
  ) {
    this.#counters = counters;
    this.#powers = powers;
    this.#pmic = pmic;
    this.limit =
      counters.length + powers.length > 0
        ? {
            hz: 10,
            reason:
              'counters are renewed every millisecond without a stamp: short intervals are wrong',
          }
        : { hz: 1, reason: 'each reading of the regulator takes a process of its own' };
  }

  async read(): Promise<readonly Reading[] | 'absent'> {
    const parts = await Promise.all([
      ...this.#counters.map((counter) => counter.read()),
      ...this.#powers.map((sensor) => readPower(sensor)),
      ...(this.#pmic === undefined ? [] : [this.#pmic.read()]),
    ]);
    const readings = parts.flat();
    return readings.length === 0 ? 'absent' : readings;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function readPower({ id, name, file }: PowerSensor): Promise<readonly Reading[]> {
  const microwatts = await file.read();
  if (microwatts === undefined) return [];
  const attributes = { 'hw.id': id, 'hw.name': name };
  return [{ metric: 'hw.power', attributes, value: microwatts / UW_PER_W }];
}
