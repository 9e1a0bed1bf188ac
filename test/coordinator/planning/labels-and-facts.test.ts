// A label is what people say of a device; a fact is what it measured. Neither stands for the other.
import test from 'ava';
import { deviceResource } from '../../../agent/telemetry/device-resource.ts';
import { deviceConditions } from '../../../coordinator/analysis/device-conditions.ts';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { selectDevices } from '../../../coordinator/planning/device-selection.ts';
import { environmentSection } from '../../../coordinator/report/environment-section.ts';
import { Presence } from '../../../schemas/device.ts';
import type { Device } from '../../../schemas/device.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { makeRun } from '../../support/run-fixture.ts';

/** Names of facts that could be names of labels too, with values that no device measured. */
const LIES = { architecture: 'lie-1', kernel: 'lie-2', os: 'lie-3', hostname: 'lie-4' };

function lyingDevice(): Device {
  const [first] = makeRun({ repetitions: 1, agentsPerHost: [1] }).run.devices;
  if (first === undefined) throw new Error('the fixture has a device');
  return { ...first, presence: { ...first.presence, labels: LIES } };
}

test('a label with the name of a fact leaves the fact as it was measured', (t) => {
  const { presence } = lyingDevice();
  t.deepEqual(Presence.parse(presence).facts, presence.facts);
  const { taken } = selectDevices({ labels: {}, minimum: 1 }, [{ ...lyingDevice(), online: true }]);
  t.deepEqual(taken[0]?.presence.facts, presence.facts);
});

test('a fact is not taken for a label when devices are selected', (t) => {
  const device = { ...lyingDevice(), online: true };
  const { architecture } = device.presence.facts;
  const error = t.throws(() => selectDevices({ labels: { architecture }, minimum: 1 }, [device]), {
    instanceOf: LockstepError,
  });
  t.regex(error.message, /its label architecture is "lie-1", not "x64"/);
});

test('what is shown and exported as a fact was measured', (t) => {
  const made = makeRun({ repetitions: 1, agentsPerHost: [1] });
  const run = { ...made.run, devices: [lyingDevice()] };
  const page = environmentSection(run, summarise(run, made.plan, made.results)).markup;
  const cells = [...page.matchAll(/<t[dh][^>]*>([^<]*)<\/t[dh]>/g)].map(([, text = '']) => text);
  const lies = cells.filter((text) => text.includes('lie-'));
  t.deepEqual(lies, ['architecture=lie-1, kernel=lie-2, os=lie-3, hostname=lie-4']);
  const { facts, deviceId, agentVersion } = lyingDevice().presence;
  t.true(cells.some((text) => text.includes(facts.kernel)));
  t.notRegex(JSON.stringify(deviceResource(deviceId, agentVersion, facts)), /lie-/);
  t.notRegex(JSON.stringify(deviceConditions(facts)), /lie-/);
});
