import test from 'ava';
import type { ExecutionContext } from 'ava';
import { LockstepError } from '../../schemas/errors.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { SimulatedFleet } from './fleet.ts';
import type { FleetRun } from './fleet.ts';

const RUN_TIMEOUT_MS = 90_000;

async function startFleet(t: ExecutionContext, devices: number): Promise<SimulatedFleet> {
  t.timeout(180_000);
  const fleet = await SimulatedFleet.start({ devices });
  t.teardown(() => fleet.stop());
  return fleet;
}

/** Every device has one result of its own for every trial, unmarked, and its bound is true. */
function assertNobodyIsLost(t: ExecutionContext, fleet: SimulatedFleet, ran: FleetRun): void {
  const { run, results } = ran;
  t.is(run.state, 'completed', run.failure?.message);
  const deviceIds = [...fleet.devices.keys()].toSorted();
  for (const [trialId, ofTrial] of byTrial(results)) {
    t.deepEqual(ofTrial.map(({ deviceId }) => deviceId).toSorted(), deviceIds, trialId);
  }
  const notOk = results.filter(({ status, invalid }) => status !== 'ok' || invalid.length > 0);
  t.deepEqual(
    notOk.map(({ deviceId, failure, invalid }) => [deviceId, failure?.message, invalid]),
    [],
  );
  const outside = results.filter(
    (result) => fleet.devices.get(result.deviceId)!.trueErrorNs(result) > result.clock!.boundNs,
  );
  t.deepEqual(outside, [], 'a true error is over its bound');
}

function byTrial(results: readonly TrialResult[]): Map<string, TrialResult[]> {
  return Map.groupBy(results, ({ trialId }) => trialId);
}

test.serial('300 devices do 3 trials, and nobody is lost', async (t) => {
  const fleet = await startFleet(t, 300);
  const ran = await fleet.run({ trials: 3, timeoutMs: RUN_TIMEOUT_MS });
  t.is(byTrial(ran.results).size, 3);
  assertNobodyIsLost(t, fleet, ran);
  for (const ofTrial of byTrial(ran.results).values()) {
    t.is(new Set(ofTrial.map(({ start }) => start!.targetFleetNs)).size, 1, 'one instant for all');
  }
});

test.serial('20 waves of 60 devices start one after the other, each at one instant', async (t) => {
  const fleet = await startFleet(t, 60);
  const ran = await fleet.run({ trials: 2, waves: 20, timeoutMs: RUN_TIMEOUT_MS });
  t.is(byTrial(ran.results).size, 2);
  assertNobodyIsLost(t, fleet, ran);
  for (const ofTrial of byTrial(ran.results).values()) {
    const waves = [...Map.groupBy(ofTrial, ({ start }) => start!.wave)].toSorted(
      ([left], [right]) => left - right,
    );
    t.is(waves.length, 20);
    let endedNs = 0n;
    for (const [wave, ofWave] of waves) {
      t.is(ofWave.length, 3, `wave ${wave}`);
      const [targetNs, ...others] = new Set(ofWave.map(({ start }) => start!.targetFleetNs));
      t.deepEqual(others, [], `wave ${wave} has one instant`);
      t.true(targetNs! > endedNs, `wave ${wave} starts after the one before`);
      const startsNs = ofWave.map(({ deviceId, start }) =>
        fleet.devices.get(deviceId)!.clock.toTrue(start!.actualMonoNs),
      );
      endedNs = startsNs.reduce((latest, startNs) => (startNs > latest ? startNs : latest));
    }
  }
});

test.serial('devices find out about kinds of sandbox once, when a run first asks', async (t) => {
  const fleet = await startFleet(t, 10);
  const experiment = { trials: 1, sandboxes: ['process', 'crun', 'gvisor-kvm'] };
  const begun = await t.throwsAsync(fleet.submit(experiment), { instanceOf: LockstepError });
  t.is(begun.code, 'DEVICE_PROBING');
  t.regex(begun.message, /device-0000 \(crun, gvisor-kvm\)/);
  const again = await t.throwsAsync(fleet.submit(experiment), { instanceOf: LockstepError });
  t.is(again.code, 'DEVICE_PROBING', 'they are still at it');
  await fleet.allIdle();
  const { run } = await fleet.run({ ...experiment, timeoutMs: RUN_TIMEOUT_MS });
  t.is(run.state, 'completed', run.failure?.message);
  t.is(run.trialsPlanned, 2, 'what no device has is left out');
  for (const { probed } of fleet.devices.values()) t.deepEqual(probed, [['crun', 'gvisor-kvm']]);
});
