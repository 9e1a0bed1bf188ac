import type { Run } from '../../schemas/run.ts';
import type { RunSummary } from './run-summary.ts';

/**
 * A name for each host of a run that is the same in other runs, where hosts are only numbered: its
 * machine id, and its device ids too where several hosts share one (machines flashed from one
 * image) or none is told.
 *
 * @param run absent: hosts are known by their device ids alone
 */
export function hostNames(
  { hosts }: Pick<RunSummary, 'hosts'>,
  run?: Pick<Run, 'devices'>,
): ReadonlyMap<string, string> {
  const machineOf = new Map(
    run?.devices.map(({ presence }) => [presence.deviceId, presence.facts.machineId]),
  );
  const machines = hosts.map(({ deviceIds }) => machineOf.get(deviceIds[0] ?? '') ?? '');
  return new Map(
    hosts.map(({ host, deviceIds }, index) => {
      const machine = machines[index] ?? '';
      const isAlone = machines.filter((other) => other === machine).length === 1;
      return [host, machine !== '' && isAlone ? machine : `${machine} ${deviceIds.join(' ')}`];
    }),
  );
}
