// Sensors that this machine need not have: all trees are composed after the kernel's documentation
// (thermal/sysfs-api, hwmon/sysfs-interface, pm/cpufreq, powercap) and the one of Raspberry Pi.
import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { WrappingSum, openEnergy } from '../../../agent/collectors/energy.ts';
import { frequency } from '../../../agent/collectors/frequency.ts';
import { temperature } from '../../../agent/collectors/temperature.ts';
import { openThrottling, parseThrottled } from '../../../agent/collectors/throttling.ts';
import { withFileTree } from './file-tree.ts';
import { fast, line, readOnce } from './opened.ts';

const ZONE = 'sys/class/thermal/thermal_zone0';
const CHIP = 'sys/class/hwmon/hwmon10';

test('temperature gives thermal zones and chips in degrees, each once', async (t) => {
  await withFileTree(
    {
      [`${ZONE}/type`]: 'cpu-thermal\n',
      [`${ZONE}/temp`]: '48312\n',
      'sys/class/thermal/cooling_device0/type': 'fan\n',
      // The kernel gives each zone a monitor too.
      'sys/class/hwmon/hwmon0/name': 'cpu_thermal\n',
      'sys/class/hwmon/hwmon0/temp1_input': '48312\n',
      'sys/class/hwmon/hwmon0/device': '->../../thermal/thermal_zone0',
      [`${CHIP}/name`]: 'k10temp\n',
      [`${CHIP}/temp1_input`]: '-1500\n',
      [`${CHIP}/temp1_label`]: 'Tctl\n',
      [`${CHIP}/temp1_crit`]: '90000\n',
      [`${CHIP}/temp2_input`]: '\n',
      [`${CHIP}/in0_input`]: '900\n',
    },
    async (roots) => {
      const readings = await readOnce(temperature.open(roots));
      t.deepEqual(readings.map(line), [
        'hw.temperature thermal_zone0 cpu-thermal 48.312',
        'hw.temperature hwmon10/temp1 k10temp Tctl -1.5',
      ]);
    },
  );
});

test('frequency reads each processor in the loop, in Hz, and not one that is off', async (t) => {
  const cpu = 'sys/devices/system/cpu';
  await withFileTree(
    {
      [`${cpu}/cpu0/cpufreq/scaling_cur_freq`]: '1800000\n',
      [`${cpu}/cpu2/cpufreq/scaling_cur_freq`]: '<unknown>\n',
      [`${cpu}/cpu10/cpufreq/scaling_cur_freq`]: '600000\n',
      [`${cpu}/cpufreq/policy0/scaling_cur_freq`]: '1\n',
    },
    (roots) => {
      const source = fast(frequency.open(roots));
      t.deepEqual(
        source.series.map(({ attributes }) => attributes?.['cpu.logical_number']),
        ['0', '2', '10'],
      );
      const row = new Float64Array(3);
      t.is(source.read(row), 'read');
      t.deepEqual([...row], [1.8e9, Number.NaN, 6e8]);
      source.close();
    },
  );
});

test('frequency falls back to the text of an x86 processor', async (t) => {
  const cpuinfo =
    'processor\t: 0\nmodel name\t: Some: CPU\ncpu MHz\t\t: 2596.142\n\n' +
    'processor\t: 1\ncpu MHz\t\t: 0.000\n\n';
  await withFileTree({ 'proc/cpuinfo': cpuinfo }, async (roots) => {
    const readings = await readOnce(frequency.open(roots));
    t.deepEqual(readings.map(line), ['system.cpu.frequency 0 2596142000']);
  });
});

test('throttling takes the word of vcgencmd apart, for now and since the boot', async (t) => {
  await withFileTree(
    { vcgencmd: '#!/bin/sh\n[ "$*" = get_throttled ] && echo throttled=0xe0005\n' },
    async (roots, folder) => {
      await chmod(join(folder, 'vcgencmd'), 0o755);
      const readings = await readOnce(openThrottling(roots, join(folder, 'vcgencmd')));
      t.deepEqual(readings.map(line), [
        'lockstep.host.throttled under-voltage now 1',
        'lockstep.host.throttled under-voltage boot 0',
        'lockstep.host.throttled frequency-capped now 0',
        'lockstep.host.throttled frequency-capped boot 1',
        'lockstep.host.throttled throttled now 1',
        'lockstep.host.throttled throttled boot 1',
        'lockstep.host.throttled soft-temperature-limit now 0',
        'lockstep.host.throttled soft-temperature-limit boot 1',
      ]);
    },
  );
});

for (const place of ['soc/soc:firmware', 'soc@107c000000:firmware']) {
  test(`throttling reads the kernel's file at ${place}, which forgets what was`, async (t) => {
    await withFileTree(
      { [`sys/devices/platform/${place}/get_throttled`]: '80005\n' },
      async (roots) => {
        const readings = await readOnce(openThrottling(roots, undefined));
        t.deepEqual(readings.map(line), [
          'lockstep.host.throttled under-voltage now 1',
          'lockstep.host.throttled frequency-capped now 0',
          'lockstep.host.throttled throttled now 1',
          'lockstep.host.throttled soft-temperature-limit now 1',
        ]);
      },
    );
  });
}

test('throttling knows the alarm of a Raspberry Pi and the counters of x86', async (t) => {
  await withFileTree(
    {
      'sys/class/hwmon/hwmon1/name': 'rpi_volt\n',
      'sys/class/hwmon/hwmon1/in0_lcrit_alarm': '1\n',
      'sys/devices/system/cpu/cpu3/thermal_throttle/core_throttle_count': '12\n',
    },
    async (roots) => {
      const readings = await readOnce(openThrottling(roots, undefined));
      t.deepEqual(readings.map(line), [
        'lockstep.host.throttled under-voltage now 1',
        'lockstep.host.throttle.events 3 12',
      ]);
    },
  );
});

test('energy counts from the first reading, over the wrap of RAPL', async (t) => {
  const zone = 'sys/class/powercap/intel-rapl:0';
  await withFileTree(
    {
      [`${zone}/name`]: 'package-0\n',
      [`${zone}/energy_uj`]: '261000000000\n',
      [`${zone}/max_energy_range_uj`]: '262143328850\n',
      [`${CHIP}/name`]: 'ina226\n',
      [`${CHIP}/power1_input`]: '4750000\n',
      [`${CHIP}/power1_average`]: '1\n',
      [`${CHIP}/power2_average`]: '250000\n',
      [`${CHIP}/energy1_input`]: '900\n',
    },
    async (roots, folder) => {
      const source = openEnergy(roots, undefined);
      if ('unavailable' in source || source.pace === 'fast') throw new Error('it is not slow');
      await source.read();
      await writeFile(join(folder, zone, 'energy_uj'), '1000000\n');
      await writeFile(join(folder, CHIP, 'energy1_input'), '2000900\n');
      const readings = await source.read();
      t.deepEqual(typeof readings === 'string' ? readings : readings.map(line), [
        'hw.energy intel-rapl:0 package-0 1144.32885',
        'hw.energy hwmon10/energy1 ina226 2',
        'hw.power hwmon10/power1 ina226 4.75',
        'hw.power hwmon10/power2 ina226 0.25',
      ]);
      await source.close();
    },
  );
});

const explains = test.macro({
  title: (_, model: string) => `energy says why there is none on: ${model || 'no known model'}`,
  exec: async (t, model: string, reason: RegExp, remedy: RegExp) => {
    await withFileTree({ 'proc/device-tree/model': `${model}\0` }, (roots) => {
      const source = openEnergy(roots, undefined);
      t.true('unavailable' in source);
      if (!('unavailable' in source)) return;
      t.regex(source.unavailable, reason);
      t.regex(source.remedy ?? '', remedy);
    });
  },
});
test(explains, 'Raspberry Pi 4 Model B Rev 1.5', /nothing that measures current/, /power meter/);
test(explains, 'Raspberry Pi 5 Model B Rev 1.0', /vcgencmd/, /raspi-utils/);
test(explains, '', /no energy counter/, /intel_rapl/);

test('temperature, frequency and throttling say why there is nothing', async (t) => {
  await withFileTree({ 'proc/cpuinfo': 'processor\t: 0\nBogoMIPS\t: 108.00\n' }, (roots) => {
    for (const source of [
      temperature.open(roots),
      frequency.open(roots),
      openThrottling(roots, undefined),
    ]) {
      t.true('unavailable' in source && source.unavailable !== '' && source.remedy !== undefined);
    }
  });
});

test('WrappingSum adds up whatever is used between two readings, over any wrap', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 40 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 50 }),
      (range, start, shares) => {
        const sum = new WrappingSum(range);
        let counter = Math.floor(start * (range - 1));
        let used = 0;
        assert.equal(sum.add(counter), 0);
        for (const share of shares) {
          const added = Math.floor(share * (range - 1));
          used += added;
          counter = (counter + added) % range;
          assert.equal(sum.add(counter), used);
        }
      },
    ),
  );
  t.pass();
});

test('WrappingSum never falls when a counter without a range is set back', (t) => {
  const sum = new WrappingSum(undefined);
  t.deepEqual(
    [5, 9, 2, 3].map((told) => sum.add(told)),
    [0, 4, 6, 7],
  );
});

test('parseThrottled reads any word in both forms, and nothing else', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xf_ffff }), (word) => {
      assert.equal(parseThrottled(`throttled=0x${word.toString(16)}\n`), word);
      assert.equal(parseThrottled(`${word.toString(16)}\n`), word);
    }),
  );
  for (const text of [
    '',
    'throttled=',
    'error=1 error_msg="Command not registered"',
    '0x5',
    '-1',
  ]) {
    t.is(parseThrottled(text), undefined, text);
  }
});
