import { join } from 'node:path';
import type { DeviceFacts } from '../../schemas/device.ts';
import { known, listFacts, readFact, readNumberFact, readTextFact } from './sources.ts';
import type { FactRoots } from './sources.ts';

type Policy = NonNullable<DeviceFacts['frequencyPolicies']>[number];

const POLICIES_MAX = 64;
const HZ_PER_KHZ = 1000;
const CPU_NUMBER = /^\d{1,5}$/;

/**
 * What decides how fast the processors run, read in a moment.
 * Source: Documentation/admin-guide/pm/cpufreq.rst, admin-guide/cputopology.rst.
 */
export function readProcessorFacts(
  roots: FactRoots,
): Pick<DeviceFacts, 'frequencyPolicies' | 'isTurboOn' | 'isSmtActive' | 'isolatedCpus'> {
  const cpu = join(roots.sys, 'devices/system/cpu');
  const policies = readPolicies(cpu);
  const smt = readFact(join(cpu, 'smt/active'));
  return known({
    frequencyPolicies: policies.length === 0 ? undefined : policies,
    isTurboOn: readTurbo(cpu),
    isSmtActive: smt === '1' ? true : smt === '0' ? false : undefined,
    isolatedCpus: readTextFact(join(cpu, 'isolated')),
  });
}

/** Policies that are set the same way are told as one. */
function readPolicies(cpu: string): Policy[] {
  const folder = join(cpu, 'cpufreq');
  const found = listFacts(folder)
    .filter((name) => /^policy\d+$/.test(name))
    .flatMap((name) => readPolicy(join(folder, name)));
  const groups = Map.groupBy(found, (policy) => JSON.stringify({ ...policy, cpus: '' }));
  return [...groups.values()].slice(0, POLICIES_MAX).flatMap((group) => {
    const [first] = group;
    const numbers = group.flatMap(({ cpus }) =>
      cpus
        .split(' ')
        .filter((word) => CPU_NUMBER.test(word))
        .map(Number),
    );
    return first === undefined ? [] : [{ ...first, cpus: listText(numbers) }];
  });
}

function readPolicy(folder: string): Policy[] {
  const governor = readTextFact(join(folder, 'scaling_governor'));
  const cpus = readTextFact(join(folder, 'affected_cpus'));
  if (governor === undefined || cpus === undefined) return [];
  const hertz = (name: string): number | undefined => {
    const khz = readNumberFact(join(folder, name));
    return khz === undefined ? undefined : khz * HZ_PER_KHZ;
  };
  return [
    known({
      cpus,
      governor,
      driver: readTextFact(join(folder, 'scaling_driver')),
      minimumHz: hertz('scaling_min_freq'),
      maximumHz: hertz('scaling_max_freq'),
    }),
  ];
}

/** Numbers as a list with ranges, such as `0-3,6`. */
function listText(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && number <= last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  const texts = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  return texts.join(',').slice(0, 256);
}

/** Intel's own driver says what is forbidden, the others what is allowed. */
function readTurbo(cpu: string): boolean | undefined {
  const forbidden = readFact(join(cpu, 'intel_pstate/no_turbo'));
  if (forbidden !== undefined) return forbidden === '0';
  const allowed = readFact(join(cpu, 'cpufreq/boost'));
  return allowed === undefined ? undefined : allowed === '1';
}
