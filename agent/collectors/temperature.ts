import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HostCollector, OpenedSource, Reading, Roots, SlowSource } from './collector.ts';
import { findHwmonInputs, listNames, readName } from './hwmon.ts';
import { SensorFile } from './sensor-file.ts';

/**
 * Temperatures of thermal zones and hardware monitors. Source: the kernel's
 * Documentation/driver-api/thermal/sysfs-api.rst and Documentation/hwmon/sysfs-interface.rst.
 */
export const temperature: HostCollector = { source: 'temperature', open };

interface Sensor {
  readonly id: string;
  readonly name: string;
  readonly file: SensorFile;
}

const ZONES_MAX = 128;

function open(roots: Roots): OpenedSource {
  const sensors = findSensors(roots.sys);
  if (sensors.length === 0) {
    return {
      unavailable: 'there is neither a thermal zone nor a hardware monitor with a temperature',
      remedy: 'a driver for the sensors of this machine; virtual machines have none',
    };
  }
  return new Temperatures(sensors);
}

function findSensors(sys: string): Sensor[] {
  const root = join(sys, 'class', 'thermal');
  const zones = listNames(root)
    .filter((id) => /^thermal_zone\d+$/.test(id) && existsSync(join(root, id, 'temp')))
    .slice(0, ZONES_MAX)
    .map((id) => ({
      id,
      name: readName(join(root, id, 'type')) || id,
      file: join(root, id, 'temp'),
    }));
  return [...zones, ...findHwmonInputs(sys, /^temp\d+_input$/)].map((sensor) => ({
    ...sensor,
    file: new SensorFile(sensor.file),
  }));
}

const MILLIDEGREES_PER_DEGREE = 1000;

class Temperatures implements SlowSource {
  readonly pace = 'slow';
  readonly limit = {
    hz: 2,
    reason: 'temperatures change slowly, and some sensors take milliseconds to answer',
  };
  readonly #sensors: readonly Sensor[];

  constructor(sensors: readonly Sensor[]) {
    this.#sensors = sensors;
  }

  async read(): Promise<readonly Reading[] | 'absent'> {
    const values = await Promise.all(this.#sensors.map(({ file }) => file.read()));
    const readings = this.#sensors.flatMap(({ id, name }, index): Reading[] => {
      const value = values[index];
      if (value === undefined) return [];
      const attributes = { 'hw.id': id, 'hw.name': name };
      return [{ metric: 'hw.temperature', attributes, value: value / MILLIDEGREES_PER_DEGREE }];
    });
    return readings.length === 0 ? 'absent' : readings;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
