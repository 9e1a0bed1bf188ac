import test from 'ava';
import { conditionDifferences } from '../../../coordinator/analysis/condition-differences.ts';
import { deviceConditions } from '../../../coordinator/analysis/device-conditions.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { environmentSection } from '../../../coordinator/report/environment-section.ts';
import type { DeviceFacts } from '../../../schemas/device.ts';
import { makeRun } from '../../support/run-fixture.ts';

const made = makeRun({ repetitions: 1, agentsPerHost: [1, 1] });
const summary = summarise(made.run, made.plan, made.results);

/** The run, with more facts of each of its devices. */
function sourceWith(...facts: Partial<DeviceFacts>[]) {
  const devices = made.run.devices.map((device, i) => ({
    ...device,
    presence: { ...device.presence, facts: { ...device.presence.facts, ...facts[i] } },
  }));
  return { run: { ...made.run, devices }, summary };
}

const FULL: Partial<DeviceFacts> = {
  timerHz: 250,
  pageSizeBytes: 16_384,
  pressure: { available: false, reason: 'it is off', remedy: 'Add psi=1.' },
  frequencyPolicies: [
    { cpus: '0-3', governor: 'ondemand', driver: 'cpufreq-dt', minimumHz: 6e8, maximumHz: 1.8e9 },
  ],
  isTurboOn: false,
  swap: { totalBytes: 2 ** 31, zramBytes: 2 ** 30 },
  kvm: { module: 'kvm', isAccessible: true, guestBoots: false, reason: 'it died' },
  disk: { device: 'mmcblk0', kind: 'sd-card', model: 'SC32G', sizeBytes: 2 ** 35, freeBytes: 9 },
  network: { interface: 'eth0', kind: 'wired', driver: 'bcmgenet', speedMbps: 1000 },
};

test('deviceConditions says in words what is known, and nothing of what is not', (t) => {
  const [device] = sourceWith(FULL).run.devices;
  const found = deviceConditions(device!.presence.facts);
  t.deepEqual(Object.fromEntries(found.map(({ name, value }) => [name, value])), {
    'kernel timer': '250 Hz',
    'page size': '16384 bytes',
    'pressure (PSI)': 'unavailable: it is off',
    'frequency governor': 'ondemand (cpufreq-dt) on 0-3, 0.60 to 1.80 GHz',
    turbo: 'off',
    swap: '2.0 GiB, 1.0 of it in zram',
    KVM: 'kvm, no guest boots: it died',
    disk: 'sd-card, SC32G',
    network: 'wired, bcmgenet, 1000 Mbit/s',
  });
  t.deepEqual(deviceConditions(made.run.devices[0]!.presence.facts), []);
});

test('conditionDifferences names a governor that was another, and not the space that is free', (t) => {
  const before = sourceWith(FULL, FULL);
  const policies = FULL.frequencyPolicies!.map((one) => ({ ...one, governor: 'performance' }));
  const disk = { ...FULL.disk!, freeBytes: 8 };
  const after = sourceWith(
    { ...FULL, frequencyPolicies: policies, disk },
    { ...FULL, frequencyPolicies: policies, disk },
  );
  t.deepEqual(conditionDifferences(before, before), []);
  t.deepEqual(conditionDifferences(before, after), [
    'frequency governor of the devices differs: ' +
      'ondemand (cpufreq-dt) on 0-3, 0.60 to 1.80 GHz (before), ' +
      'performance (cpufreq-dt) on 0-3, 0.60 to 1.80 GHz (after)',
  ]);
});

test('a run of older agents, which tell fewer facts, does not differ by that', (t) => {
  t.deepEqual(conditionDifferences(sourceWith(), sourceWith(FULL, FULL)), []);
  t.deepEqual(conditionDifferences(sourceWith(FULL, FULL), sourceWith()), []);
});

test('the report has a row for each value of a condition, with the devices that have it', (t) => {
  const { run } = sourceWith({ timerHz: 250, isTurboOn: true }, { timerHz: 250, isTurboOn: false });
  const { markup } = environmentSection(run, summary);
  const rows = [...markup.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<t[dh][^>]*>([^<]*)</g)].map(([, text]) => text),
  );
  const [one, other] = run.devices.map(({ presence }) => presence.deviceId);
  t.deepEqual(
    rows.filter(([name]) => ['kernel timer', 'turbo'].includes(name ?? '')),
    [
      ['kernel timer', '250 Hz', 'all'],
      ['turbo', 'on', one],
      ['turbo', 'off', other],
    ],
  );
});
