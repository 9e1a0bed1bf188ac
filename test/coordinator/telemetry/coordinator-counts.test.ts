import test from 'ava';
import {
  countDevices,
  countResults,
  countRuns,
} from '../../../coordinator/telemetry/coordinator-counts.ts';
import type { Presence } from '../../../schemas/device.ts';
import type { TrialResult } from '../../../schemas/result.ts';
import { makeRun } from '../../support/run-fixture.ts';

const { run, results } = makeRun({ seed: 2, repetitions: 1, failureRate: 0.5 });

test('countDevices: a silent device is lost, unless it said that it leaves', (t) => {
  const device = (state: Presence['state'], online: boolean) => ({
    presence: { ...run.devices[0]!.presence, state },
    online,
  });
  const devices = [
    device('idle', true),
    device('busy', true),
    device('busy', false),
    device('idle', false),
    device('leaving', false),
  ];
  t.deepEqual(countDevices(devices), { probing: 0, idle: 1, busy: 1, leaving: 1, lost: 2 });
});

test('countRuns: what waits and what goes, without what has ended', (t) => {
  const states = ['queued', 'queued', 'preparing', 'running', 'completed', 'failed'] as const;
  t.deepEqual(countRuns(states.map((state) => ({ state }))), { queued: 2, going: 2 });
});

test('countResults counts what is recorded from then on, by status', (t) => {
  let tell: (result: TrialResult) => void = () => undefined;
  const counts = countResults({
    watch: (watcher) => {
      tell = (result) => {
        watcher.onResult(result);
      };
      return () => undefined;
    },
  });
  t.deepEqual(counts(), { ok: 0, failed: 0 });
  for (const result of results) tell(result);
  const failed = results.filter(({ status }) => status === 'failed').length;
  t.true(failed > 0 && failed < results.length);
  t.deepEqual(counts(), { ok: results.length - failed, failed });
});
