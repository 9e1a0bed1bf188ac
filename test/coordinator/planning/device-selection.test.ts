import test from 'ava';
import { selectDevices } from '../../../coordinator/planning/device-selection.ts';
import type { SelectableDevice } from '../../../coordinator/planning/device-selection.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { PROTOCOL_VERSION } from '../../../schemas/protocol.ts';

type Changes = Partial<SelectableDevice['presence']> & { online?: boolean };

function device(deviceId: string, { online = true, ...presence }: Changes = {}): SelectableDevice {
  return {
    protocol: PROTOCOL_VERSION,
    lastSeenAtUtcMs: 0,
    online,
    presence: {
      protocol: PROTOCOL_VERSION,
      deviceId,
      agentVersion: '0.1.0',
      startedAtUtcMs: 0,
      state: 'idle',
      labels: {},
      facts: {
        hostname: deviceId,
        machineId: '',
        bootId: '',
        timeNamespace: '',
        architecture: 'x64',
        model: '',
        cpuModel: '',
        cpuCount: 1,
        memoryBytes: 0,
        kernel: '',
        os: '',
        cgroup: 'none',
        isRoot: false,
      },
      sandboxes: [],
      ...presence,
    },
  };
}

const idsOf = (devices: readonly SelectableDevice[]): string[] =>
  devices.map(({ presence }) => presence.deviceId);

test('selectDevices without labels takes every idle device, by id', (t) => {
  const choice = selectDevices({ labels: {}, minimum: 1 }, [device('b'), device('a')]);
  t.deepEqual(idsOf(choice.taken), ['a', 'b']);
  t.deepEqual(choice.awaited, []);
  t.deepEqual(choice.notTaken, []);
});

test('selectDevices takes a device only if all labels are right', (t) => {
  const labels = { site: 'north', board: 'pi5' };
  const choice = selectDevices({ labels, minimum: 1 }, [
    device('both', { labels: { ...labels, extra: 'x' } }),
    device('one', { labels: { site: 'north' } }),
    device('other', { labels: { site: 'south', board: 'pi5' } }),
  ]);
  t.deepEqual(idsOf(choice.taken), ['both']);
  t.deepEqual(choice.notTaken, [
    { deviceId: 'one', reason: 'labels', message: 'it has no label board' },
    { deviceId: 'other', reason: 'labels', message: 'its label site is "south", not "north"' },
  ]);
});

test('selectDevices waits for busy and probing devices and says for which run', (t) => {
  const choice = selectDevices({ labels: {}, minimum: 3 }, [
    device('busy', { state: 'busy', runId: 'run-1' }),
    device('idle'),
    device('new', { state: 'probing' }),
  ]);
  t.deepEqual(idsOf(choice.taken), ['idle']);
  t.deepEqual(choice.awaited, [
    { deviceId: 'busy', reason: 'busy', runId: 'run-1' },
    { deviceId: 'new', reason: 'probing' },
  ]);
});

test('selectDevices never takes a device that is offline or leaving', (t) => {
  const choice = selectDevices({ labels: {}, minimum: 1 }, [
    device('away', { online: false, state: 'busy', runId: 'run-1' }),
    device('idle'),
    device('stopping', { state: 'leaving' }),
  ]);
  t.deepEqual(idsOf(choice.taken), ['idle']);
  t.deepEqual(
    choice.notTaken.map(({ deviceId, reason }) => [deviceId, reason]),
    [
      ['away', 'offline'],
      ['stopping', 'leaving'],
    ],
  );
});

test('selectDevices throws NO_DEVICE with the reason of each device', (t) => {
  const error = t.throws(
    () =>
      selectDevices({ labels: { site: 'north' }, minimum: 2 }, [
        device('away', { online: false, labels: { site: 'north' } }),
        device('here', { labels: { site: 'north' } }),
        device('plain'),
      ]),
    { instanceOf: LockstepError },
  );
  t.is(error.code, 'NO_DEVICE');
  t.is(
    error.message,
    '1 of at least 2 devices with site=north can take part; ' +
      'away: it was not heard of lately; plain: it has no label site',
  );
});

test('selectDevices throws NO_DEVICE if nobody is known, and says how to begin', (t) => {
  const error = t.throws(() => selectDevices({ labels: {}, minimum: 1 }, []), {
    instanceOf: LockstepError,
  });
  t.is(error.code, 'NO_DEVICE');
  t.regex(error.hint ?? '', /Start an agent/);
});
