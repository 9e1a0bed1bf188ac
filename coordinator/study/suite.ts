import { LockstepError } from '../../schemas/errors.ts';
import { nearestNameHint } from '../experiment/nearest-name.ts';
import type { QuantityName } from './quantities.ts';

/** How the study is done: as it was, as it should be, or in a few minutes. */
export const ARMS = ['faithful', 'rigorous', 'quick'] as const;
export type Arm = (typeof ARMS)[number];

/** One experiment of the study, as a file in each arm. */
export interface StudyExperiment {
  /** As on the command line, and as the file's name after its number. */
  readonly name: string;
  /** Which of the twelve experiments it belongs to. */
  readonly group: string;
  /** Name of the file, without folder. */
  readonly file: string;
  /** What is shown of it, the most telling first. */
  readonly quantities: readonly QuantityName[];
  /** Absent: all. */
  readonly arms?: readonly Arm[];
}

const calls = ['first call', 'later calls'] as const;
const workAlone = ['first work', 'later work'] as const;

/** The twelve experiments of arXiv 2403.00515 in its order; some are several files. */
export const STUDY_EXPERIMENTS: readonly StudyExperiment[] = [
  one('01-cold-start', ['latency']),
  one('02-burst', ['latency']),
  one('03-startup-cached', ['latency', 'instructions'], 'startup'),
  one('03-startup-evicted', ['latency', 'instructions'], 'startup'),
  one('04-idle-memory', ['available', 'cgroup', 'pss']),
  one('05-idle-instructions', ['instructions', 'cpu time']),
  one('06-cpu-fib', calls, 'cpu'),
  one('06-cpu-fft', workAlone, 'cpu'),
  one('06-cpu-matrix', workAlone, 'cpu'),
  one('07-alloc', calls),
  one('08-read', calls),
  one('09-unzip', ['first call']),
  { ...one('09-unzip-compressible', ['first call'], 'unzip'), arms: ['rigorous'] },
  one('10-network-simple', ['connection limit', 'requests at 1', 'requests at 32']),
  one('11-network-file', ['bytes at 4']),
  one('12-warm', ['later calls', 'first call']),
];

function one(stem: string, quantities: readonly QuantityName[], group?: string): StudyExperiment {
  const name = stem.replace(/^\d+-/, '');
  return { name, group: group ?? name, file: `${stem}.yaml`, quantities };
}

/**
 * The experiments of an arm, in the order of the study.
 *
 * @param only names of experiments or of their groups; absent: all
 * @throws LockstepError USAGE for a name that none has.
 */
export function selectExperiments(arm: Arm, only?: readonly string[]): StudyExperiment[] {
  const ofArm = STUDY_EXPERIMENTS.filter(({ arms }) => arms?.includes(arm) ?? true);
  const known = [...new Set(ofArm.flatMap(({ name, group }) => [group, name]))];
  for (const wanted of only ?? []) {
    if (known.includes(wanted)) continue;
    throw new LockstepError('USAGE', `the ${arm} arm has no experiment '${wanted}'`, {
      hint: nearestNameHint(wanted, known),
    });
  }
  return ofArm.filter(
    ({ name, group }) => only === undefined || only.includes(name) || only.includes(group),
  );
}
