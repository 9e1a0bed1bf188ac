import { LockstepError } from '../../schemas/errors.ts';
import { Experiment } from '../../schemas/experiment.ts';
import type { Mistake } from './mistake.ts';
import { toSchemaMistakes } from './schema-mistakes.ts';
import { readYamlSource } from './yaml-source.ts';

const FILE_BYTES_MAX = 262_144;
const MISTAKES_MAX = 50;

/** The experiment of a file, or everything that is wrong with the file. */
export type ParsedExperiment =
  { readonly experiment: Experiment } | { readonly mistakes: readonly Mistake[] };

/**
 * Reads an experiment file and finds every mistake at once, by line and column. At most 50 are
 * told, at most 256 KiB are read, and nothing is thrown, whatever the text.
 *
 * @param fileName serves to propose a name for the experiment if the file has none.
 */
export function parseExperiment(text: string, fileName: string): ParsedExperiment {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > FILE_BYTES_MAX) return { mistakes: [tooLarge(sizeBytes)] };
  const source = readYamlSource(text);
  const mistakes = [...source.mistakes];
  if (source.data !== undefined) {
    const parsed = Experiment.safeParse(source.data.value);
    if (parsed.success && mistakes.length === 0) return { experiment: parsed.data };
    const issues = parsed.error?.issues ?? [];
    mistakes.push(...issues.flatMap((issue) => toSchemaMistakes(issue, source)));
  }
  return { mistakes: inOrder(mistakes).map((mistake) => withProposedName(mistake, fileName)) };
}

/**
 * Reads an experiment file.
 *
 * @throws LockstepError EXPERIMENT_INVALID with all mistakes in its message, one per line.
 */
export function assertExperiment(text: string, fileName: string): Experiment {
  const parsed = parseExperiment(text, fileName);
  if ('experiment' in parsed) return parsed.experiment;
  const count = parsed.mistakes.length;
  throw new LockstepError(
    'EXPERIMENT_INVALID',
    `${fileName} has ${count} ${count === 1 ? 'mistake' : 'mistakes'}:\n` +
      formatMistakes(parsed.mistakes, fileName),
    { hint: 'Correct the file at the places named, then try again.' },
  );
}

/** Writes mistakes as `file:line:column: message`, each with its hint on the next line. */
export function formatMistakes(mistakes: readonly Mistake[], fileName: string): string {
  return mistakes
    .map(
      ({ line, column, message, hint }) =>
        `${fileName}:${line}:${column}: ${message}\n  hint: ${hint}`,
    )
    .join('\n');
}

function tooLarge(sizeBytes: number): Mistake {
  return {
    line: 1,
    column: 1,
    path: '',
    message: `the file has ${sizeBytes} bytes, more than ${FILE_BYTES_MAX}`,
    hint: 'An experiment takes a page or less; check that this is the right file.',
  };
}

function inOrder(mistakes: readonly Mistake[]): Mistake[] {
  const sorted = mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const told = sorted.slice(0, MISTAKES_MAX);
  const last = told.at(-1);
  if (last === undefined || sorted.length === told.length) return told;
  const untold = sorted.length - told.length;
  const message = `and ${untold} more mistakes from here on`;
  return [...told, { ...last, path: '', message, hint: 'Correct those above first.' }];
}

function withProposedName(mistake: Mistake, fileName: string): Mistake {
  if (mistake.path !== 'experiment' || !mistake.message.endsWith('missing')) return mistake;
  const base = fileName.replace(/^.*\//, '').replace(/\.[^.]*$/, '');
  const name = base
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  if (name === '') return mistake;
  return { ...mistake, hint: `Add a name, e.g. experiment: ${name.slice(0, 64)}` };
}
