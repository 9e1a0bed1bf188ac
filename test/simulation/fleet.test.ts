import test from 'ava';
import type { ExecutionContext } from 'ava';
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
