import { z } from 'zod';
import { CellBook } from './cell-book.ts';
import type { Draft, SourceValue } from './draft.ts';
import { importError } from './import-mistake.ts';
import type { ImportMistake } from './import-mistake.ts';

const Seconds = z.number().min(0).max(86_400);
const Parameters = z.record(z.string(), z.union([z.string(), z.number()])).optional();
const ExitCode = z.int().nullable();

/** `hyperfine --export-json` up to 1.x: a list of times per command, seconds. */
const ResultOfVersion1 = z
  .object({
    command: z.string(),
    times: z.array(Seconds).default([]),
    exit_codes: z.array(ExitCode).optional(),
    parameters: Parameters,
  })
  .refine(({ times, exit_codes: codes }) => codes === undefined || codes.length === times.length, {
    error: 'there are not as many exit codes as times',
    path: ['exit_codes'],
  });

/** The same from 2.0 on (`schema_version` 2): a list of runs per command. */
const ResultOfVersion2 = z.object({
  command: z.string(),
  name: z.string().nullable().optional(),
  measurements: z.array(
    z.object({
      time_wall_clock: z.object({ value: Seconds, unit: z.literal('second') }),
      exit_code: ExitCode.optional(),
    }),
  ),
  parameters: Parameters,
});

const Export = z.object({ results: z.array(z.looseObject({})).min(1) });

type Parameters = z.output<typeof Parameters>;

interface Benchmark {
  readonly title: string;
  readonly parameters: Parameters;
  readonly runs: readonly { readonly seconds: number; readonly exitCode: number | null }[];
}

/**
 * Reads the JSON export of hyperfine. Parameters named sandbox (or target) and function (or
 * language) name the cell; else the sandbox is `command`, and the function is made of the command.
 *
 * @throws LockstepError IMPORT_INVALID with every mistake, if there is one.
 */
export function readHyperfine(text: string, fileName: string): Draft {
  const benchmarks = benchmarksOf(text, fileName);
  const book = new CellBook();
  const mistakes: ImportMistake[] = [];
  const values: SourceValue[] = [];
  const taken = new Set<string>();
  for (const [index, benchmark] of benchmarks.entries()) {
    const at = `results[${index}] (${benchmark.title.slice(0, 60)})`;
    const [sandbox, functionName] = namesOf(benchmark);
    const cell = book.cell(sandbox, functionName);
    if (typeof cell === 'string') mistakes.push({ message: `${at}: ${cell}` });
    else if (taken.has(cell.id)) {
      mistakes.push({ message: `${at}: another command is ${cell.id} already; name them apart` });
    } else {
      taken.add(cell.id);
      if (benchmark.runs.length === 0) mistakes.push({ message: `${at}: it has no times` });
      for (const { seconds, exitCode } of benchmark.runs) {
        values.push({
          line: values.length + 1,
          cell,
          value: Math.round(seconds * 1e9),
          ...(exitCode === 0 ? {} : { failure: exitFailure(exitCode) }),
        });
      }
    }
  }
  if (mistakes.length > 0) throw importError(fileName, mistakes);
  return draftOf(values, benchmarks.length);
}

function benchmarksOf(text: string, fileName: string): Benchmark[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw importError(fileName, [{ message: `it is no JSON: ${reason.slice(0, 200)}` }]);
  }
  const parsed = Export.safeParse(value);
  const mistakes: ImportMistake[] = [];
  const add = (error: z.ZodError, prefix: readonly PropertyKey[]): void => {
    for (const { path, message } of error.issues) {
      const place = [...prefix, ...path].map(String).join('.') || 'the document';
      mistakes.push({ message: `${place}: ${message}` });
    }
  };
  if (!parsed.success) add(parsed.error, []);
  const benchmarks = (parsed.data?.results ?? []).flatMap((result, index): Benchmark[] => {
    const read = 'measurements' in result ? readVersion2(result) : readVersion1(result);
    if (!(read instanceof z.ZodError)) return [read];
    add(read, ['results', index]);
    return [];
  });
  if (mistakes.length === 0) return benchmarks;
  throw importError(fileName, mistakes, 'Known JSON is that of hyperfine --export-json.');
}

function readVersion1(result: unknown): Benchmark | z.ZodError {
  const { data, error } = ResultOfVersion1.safeParse(result);
  if (data === undefined) return error;
  const { command, times, exit_codes: codes, parameters } = data;
  const runs = times.map((seconds, place) => ({
    seconds,
    exitCode: codes === undefined ? 0 : (codes[place] ?? null),
  }));
  return { title: command, parameters, runs };
}

function readVersion2(result: unknown): Benchmark | z.ZodError {
  const { data, error } = ResultOfVersion2.safeParse(result);
  if (data === undefined) return error;
  const { command, name, measurements, parameters } = data;
  const runs = measurements.map(({ time_wall_clock: time, exit_code: exitCode = 0 }) => ({
    seconds: time.value,
    exitCode,
  }));
  return { title: name ?? command, parameters, runs };
}

function namesOf({ title, parameters = {} }: Benchmark): [string, string] {
  const pick = (...names: readonly string[]): string | undefined => {
    const name = names.find((candidate) => Object.hasOwn(parameters, candidate));
    return name === undefined ? undefined : String(parameters[name]);
  };
  const used = ['sandbox', 'target', 'function', 'language'];
  const others = Object.entries(parameters)
    .filter(([name]) => !used.includes(name))
    .map(([name, value]) => `${name} ${value}`);
  const functionName = pick('function', 'language');
  const own = functionName === undefined ? [title] : [functionName, ...others];
  return [slug(pick('sandbox', 'target') ?? 'command'), slug(own.join(' '))];
}

/** A command as an identifier. */
function slug(text: string): string {
  const plain = text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return plain.slice(0, 65).replace(/^-/, '').slice(0, 64).replace(/-$/, '');
}

function exitFailure(exitCode: number | null): NonNullable<SourceValue['failure']> {
  const how = exitCode === null ? 'was ended by a signal' : `ended with exit code ${exitCode}`;
  return { code: 'FUNCTION_CRASHED', message: `the command ${how}` };
}

function draftOf(values: readonly SourceValue[], commands: number): Draft {
  return {
    source: 'hyperfine',
    shape: 'sandbox',
    procedure: 'cold-start',
    question: 'How long does each command take, as hyperfine measured it?',
    meaning:
      'wall clock time from the start of the command to its exit; where hyperfine used a shell, ' +
      "less its estimate of the shell's own time",
    unit: 's',
    unitSize: 1e9,
    values,
    order: commands === 1 ? 'listed' : 'blocks',
    limitations: [
      {
        code: 'end-point',
        message: 'Each time ends with the exit of the command; firstByte stands for that.',
      },
      { code: 'one-host', message: 'The file names no host; all runs count as made on one.' },
    ],
  };
}
