import { isEnded } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run.ts';
import type { Device } from '../../schemas/device.ts';
import type { TrialResult } from '../../schemas/result.ts';
import type { CoordinatorHealth } from './coordinator-health.ts';
import type { ResultSource } from './run-tracer.ts';

/** Devices by state; one that is not online and did not say that it leaves is `lost`. */
export function countDevices(
  devices: readonly (Pick<Device, 'presence'> & { readonly online: boolean })[],
): Record<string, number> {
  const counts = { probing: 0, idle: 0, busy: 0, leaving: 0, lost: 0 };
  for (const { presence, online } of devices) {
    counts[online || presence.state === 'leaving' ? presence.state : 'lost'] += 1;
  }
  return counts;
}

/** Runs that wait for devices, and those that go. */
export function countRuns(runs: readonly Pick<Run, 'state'>[]): {
  queued: number;
  going: number;
} {
  const going = runs.filter(({ state }) => !isEnded(state));
  const queued = going.filter(({ state }) => state === 'queued').length;
  return { queued, going: going.length - queued };
}

/** Counts the results that are recorded from now on. */
export function countResults(source: ResultSource): CoordinatorHealth['results'] {
  const counts = { ok: 0, failed: 0 };
  source.watch({
    onResult: ({ status }: TrialResult) => {
      counts[status] += 1;
    },
    onFailure: () => undefined,
  });
  return () => counts;
}
