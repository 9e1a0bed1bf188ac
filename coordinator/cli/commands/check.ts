import { EXIT_CODES } from '../exit-codes.ts';
import type { Work } from '../session.ts';
import { readExperimentFile } from './experiment-source.ts';

/** Checks an experiment file; needs no coordinator. */
export function check(path: string): Work {
  return async ({ output }) => {
    const { experiment } = await readExperimentFile(path, output);
    if (experiment === undefined) return EXIT_CODES.usage;
    output.result(`${path} is in order: experiment ${experiment.experiment}`);
    return EXIT_CODES.ok;
  };
}
