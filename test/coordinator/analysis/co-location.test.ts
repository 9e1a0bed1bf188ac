import test from 'ava';
import { hostFinder, hostsOf } from '../../../coordinator/analysis/co-location.ts';
import type { Device, DeviceFacts } from '../../../schemas/device.ts';
import { makeRun } from '../../support/run-fixture.ts';

function device(deviceId: string, facts: Partial<DeviceFacts>): Device {
  const [model] = makeRun({ repetitions: 1 }).run.devices;
  const { presence } = model!;
  return {
    ...model!,
    presence: { ...presence, deviceId, facts: { ...presence.facts, ...facts } },
  };
}

test('hostsOf puts agents of one boot on one host, in the order of device ids', (t) => {
  const hosts = hostsOf([
    device('b-2', { bootId: 'second', machineId: 'two' }),
    device('a-2', { bootId: 'first', machineId: 'one' }),
    device('a-1', { bootId: 'first', machineId: 'one' }),
  ]);
  t.deepEqual(hosts, [
    { host: 'host-1', deviceIds: ['a-1', 'a-2'] },
    { host: 'host-2', deviceIds: ['b-2'] },
  ]);
});

test('hostsOf tells machines apart that were flashed from one image', (t) => {
  const hosts = hostsOf([
    device('pi-1', { bootId: 'first', machineId: 'cloned' }),
    device('pi-2', { bootId: 'second', machineId: 'cloned' }),
  ]);
  t.is(hosts.length, 2);
});

test('hostsOf recognises containers on one kernel by their boot', (t) => {
  const hosts = hostsOf([
    device('c-1', { bootId: 'first', machineId: 'one' }),
    device('c-2', { bootId: 'first', machineId: '' }),
  ]);
  t.is(hosts.length, 1);
});

test('hostsOf goes by the machine without a boot id, and by the device without both', (t) => {
  const blank = { bootId: '', machineId: '' };
  const machine = { bootId: '', machineId: 'one' };
  t.is(hostsOf([device('d-1', blank), device('d-2', blank)]).length, 2);
  t.is(hostsOf([device('d-1', machine), device('d-2', machine)]).length, 1);
});

test('hostFinder makes a device that no host lists a host of its own', (t) => {
  const hostOf = hostFinder([{ host: 'host-1', deviceIds: ['a-1'] }]);
  t.is(hostOf('a-1'), 'host-1');
  t.is(hostOf('stranger'), 'stranger');
});
