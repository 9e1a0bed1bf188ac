import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { pino } from 'pino';
import type { Bus } from '../../../bus/bus.ts';
import { Fleet } from '../../../coordinator/dispatch/fleet.ts';
import { Registry } from '../../../coordinator/registry.ts';
import type { Presence } from '../../../schemas/device.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { makeRun } from '../../support/run-fixture.ts';

// A bus on which devices answer or not, as a test says, in place of a server; the registry is real.

const DEVICES = ['agent-1', 'agent-2'];

function presenceOf(deviceId: string): Presence {
  const { run } = makeRun({ agentsPerHost: [2], repetitions: 1 });
  const { presence } = run.devices.find((device) => device.presence.deviceId === deviceId)!;
  return { ...presence, state: 'idle' };
}

async function makeFleet() {
  const silent = new Set<string>();
  const asked: string[] = [];
  const bus = {
    subscribe: () => Promise.resolve({ close: () => Promise.resolve() }),
    request: (subject: string) => {
      asked.push(subject);
      const deviceId = subject.split('.')[2] ?? '';
      if (!silent.has(deviceId)) return Promise.resolve({});
      const cause = new Error('no responders');
      return Promise.reject(new LockstepError('BUS_UNAVAILABLE', 'nobody answers', { cause }));
    },
  } as unknown as Bus;
  const store = { list: () => Promise.resolve([]), put: () => Promise.resolve() };
  const { registry } = await Registry.open(bus, store, pino({ level: 'silent' }));
  for (const deviceId of DEVICES) registry.note(presenceOf(deviceId));
  const fleet = new Fleet(DEVICES, {} as never, { bus, registry });
  await fleet.prepare(DEVICES);
  const arm = () =>
    fleet.command({ deviceIds: DEVICES, verb: 'arm', timeoutMs: 1000 }, () => ({}) as never);
  return { fleet, registry, silent, asked, arm };
}

test('a device that does not answer arm is lost until it is heard again', async (t) => {
  const { fleet, registry, silent, arm } = await makeFleet();
  t.deepEqual(fleet.prepared, DEVICES);
  silent.add('agent-2');
  const outcomes = await arm();
  t.deepEqual(
    outcomes.map((outcome) => ('reply' in outcome ? 'armed' : outcome.error.code)),
    ['armed', 'DEVICE_LOST'],
  );
  t.deepEqual(fleet.prepared, ['agent-1'], 'no other trial is spent on it');
  t.regex(fleet.lossOf('agent-2')?.message ?? '', /did not answer/);

  await delay(2);
  registry.note(presenceOf('agent-2'));
  t.deepEqual(fleet.prepared, DEVICES, 'it was only silent: it is prepared still');
});

test('a device that is heard with another start after its silence must be prepared anew', async (t) => {
  const { fleet, registry, silent, asked, arm } = await makeFleet();
  silent.add('agent-2');
  await arm();
  silent.clear();
  await delay(2);
  const restarted = presenceOf('agent-2');
  registry.note({ ...restarted, startedAtUtcMs: restarted.startedAtUtcMs + 1 });
  t.deepEqual(fleet.prepared, ['agent-1']);
  asked.length = 0;
  const missing = await fleet.recover(new AbortController().signal, () => undefined);
  t.deepEqual(missing, []);
  t.true(asked.some((subject) => subject.includes('agent-2') && subject.endsWith('prepare')));
  t.deepEqual(fleet.prepared, DEVICES);
});
