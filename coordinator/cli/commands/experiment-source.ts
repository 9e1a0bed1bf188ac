import { readFile } from 'node:fs/promises';
import { LockstepError } from '../../../schemas/errors.ts';
import type { Experiment } from '../../../schemas/experiment.ts';
import { formatMistakes, parseExperiment } from '../../experiment/experiment-file.ts';
import type { Output } from '../output.ts';

/** An experiment file that was read: its text, and the experiment if it has no mistakes. */
export interface ExperimentSource {
  readonly text: string;
  readonly experiment: Experiment | undefined;
}

/**
 * Reads an experiment file and tells every mistake in it.
 *
 * @throws LockstepError NOT_FOUND if the file can't be read.
 */
export async function readExperimentFile(path: string, output: Output): Promise<ExperimentSource> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LockstepError('USAGE', `cannot read the experiment file ${path}: ${reason}`, {
      cause,
      hint: 'The folder experiments/ has files to start from.',
    });
  }
  const parsed = parseExperiment(text, path);
  if ('experiment' in parsed) return { text, experiment: parsed.experiment };
  output.say(formatMistakes(parsed.mistakes, path));
  const count = parsed.mistakes.length;
  output.say(`${path} has ${count} ${count === 1 ? 'mistake' : 'mistakes'}`);
  return { text, experiment: undefined };
}
