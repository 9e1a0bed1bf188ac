import { basename } from 'node:path';
import type { Cell } from '../../schemas/result.ts';
import { CellBook } from './cell-book.ts';
import { csvRows, fieldCountMistake } from './csv-text.ts';
import type { CsvRow } from './csv-text.ts';
import type { Draft, SourceValue } from './draft.ts';
import { importError } from './import-mistake.ts';
import type { ImportMistake } from './import-mistake.ts';
import { COMMON_LIMITATIONS, REFUSED_FORMS, STUDY_FORMS } from './study-forms.ts';
import type { StudyForm } from './study-forms.ts';

/** ns, or bytes, per unit of a column. */
const UNIT_SIZES = { s: 1e9, ms: 1e6, MiB: 2 ** 20 } as const;

/** Longest time that is believed, ns: a day. Most memory, bytes: 2^50. */
const VALUE_MAX = { s: 86_400e9, ms: 86_400e9, MiB: 2 ** 50 } as const;

const INSTANCES_MAX = 1024;

/**
 * Reads a CSV file of the study.
 *
 * @param as the kind of file, in place of what the header says
 * @throws LockstepError IMPORT_INVALID with every mistake, if there is one.
 */
export function readStudyCsv(text: string, fileName: string, as?: string): Draft {
  const rows = csvRows(text);
  const header = rows.next();
  if (header.done === true) throw importError(fileName, [{ message: 'it is empty' }]);
  const columns = header.value.fields;
  const candidates = formsFor(columns, fileName, as);
  const [first] = candidates;
  if (first === undefined) throw unknownHeader(fileName, columns);
  const reader = new RowReader(columns, first);
  for (const row of rows) reader.read(row);
  if (reader.values.length === 0 && reader.mistakes.length === 0) {
    throw importError(fileName, [{ message: 'it has a header, but no rows' }]);
  }
  if (reader.mistakes.length > 0) throw importError(fileName, reader.mistakes);
  const form = decide(candidates, reader.values, fileName);
  return {
    source: `study-${form.name}`,
    shape: form.shape,
    procedure: form.procedure,
    question: form.question,
    meaning: form.meaning,
    unit: form.unit,
    unitSize: UNIT_SIZES[form.unit],
    values: reader.values,
    order: 'rows',
    limitations: [...(form.limitations ?? []), ...COMMON_LIMITATIONS].map(([code, message]) => ({
      code,
      message,
    })),
  };
}

function formsFor(columns: readonly string[], fileName: string, as?: string): StudyForm[] {
  const refused = REFUSED_FORMS.find((form) => hasColumns(columns, form.columns));
  if (refused !== undefined) {
    throw importError(fileName, [{ message: `it cannot become a run: ${refused.why}` }]);
  }
  const fitting = STUDY_FORMS.filter((form) => hasColumns(columns, form.columns));
  if (as !== undefined) {
    const named = STUDY_FORMS.find(({ name }) => name === as);
    if (named === undefined || fitting.includes(named)) return named === undefined ? [] : [named];
    const message = `a ${as} file has the columns ${named.columns.join(',')}, not ${show(columns)}`;
    throw importError(fileName, [{ line: 1, message }]);
  }
  if (!hasColumns(columns, ['target', 'time', 'attempt'])) return fitting;
  // These five differ in their unit, and nothing in the file tells which of them it is.
  const stem = basename(fileName)
    .toLowerCase()
    .replace(/\.csv$/, '');
  const byName = fitting.filter(({ name }) => stem.split(/[^a-z]+/).includes(name));
  if (byName.length === 1) return byName;
  throw importError(
    fileName,
    [{ line: 1, message: `it could be ${fitting.map(({ name }) => name).join(', ')}` }],
    'Say which with --as NAME: their units differ.',
  );
}

function hasColumns(columns: readonly string[], wanted: readonly string[]): boolean {
  return columns.toSorted().join() === wanted.toSorted().join();
}

function unknownHeader(fileName: string, columns: readonly string[]): Error {
  const known = [...new Set(STUDY_FORMS.map((form) => form.columns.join(',')))];
  return importError(
    fileName,
    [{ line: 1, message: `no known kind of file has the header ${show(columns)}` }],
    `Known are ${known.join(' | ')}, and the JSON of hyperfine.`,
  );
}

function show(columns: readonly string[]): string {
  const text = columns.join(',').replaceAll(/[^\x20-\x7E]/g, '?');
  return `'${text.length > 100 ? `${text.slice(0, 100)}...` : text}'`;
}

/** Turns rows into values, and collects mistakes. */
class RowReader {
  readonly values: SourceValue[] = [];
  readonly mistakes: ImportMistake[] = [];
  readonly #columns: readonly string[];
  readonly #form: StudyForm;
  readonly #book = new CellBook();

  constructor(columns: readonly string[], form: StudyForm) {
    this.#columns = columns;
    this.#form = form;
  }

  read(row: CsvRow): void {
    const { line } = row;
    const miscounted = fieldCountMistake(row, this.#columns);
    if (miscounted.length > 0) {
      this.mistakes.push(...miscounted);
      return;
    }
    const problems: string[] = [];
    const cell = this.#cell(row, problems);
    const value = this.#value(row, problems);
    this.mistakes.push(...problems.map((message) => ({ line, message })));
    if (cell !== undefined && problems.length === 0) this.values.push({ line, cell, value });
  }

  #field(row: CsvRow, column: string): string | undefined {
    return row.fields[this.#columns.indexOf(column)];
  }

  #cell(row: CsvRow, problems: string[]): Cell | undefined {
    const target = this.#field(row, 'target') ?? 'nanos';
    const instancesText = this.#field(row, 'instances') ?? '1';
    const instances = Number(instancesText);
    if (!/^\d+$/.test(instancesText) || instances < 1 || instances > INSTANCES_MAX) {
      problems.push(`instances '${clip(instancesText)}' is no number from 1 to ${INSTANCES_MAX}`);
      return undefined;
    }
    const functionName = this.#functionName(row, problems);
    if (functionName === undefined) return undefined;
    const cell = this.#book.cell(target, functionName, instances);
    if (typeof cell !== 'string') return cell;
    problems.push(cell);
    return undefined;
  }

  #functionName(row: CsvRow, problems: string[]): string | undefined {
    const { name } = this.#form;
    const attempt = this.#field(row, 'attempt');
    if (attempt !== undefined) return `${name}-${attempt}`;
    const kind = this.#field(row, 'kind');
    if (kind !== undefined) {
      if (kind === 'faas') return 'hello-go-gateway';
      if (kind === 'direct') return 'hello-go-direct';
      problems.push(`kind '${clip(kind)}' is neither faas nor direct`);
      return undefined;
    }
    const language = this.#field(row, 'language');
    if (language === undefined) return name;
    const cached = this.#field(row, 'cached');
    if (cached === undefined) return `hello-${language}`;
    if (cached === '1') return `hello-${language}-cached`;
    if (cached === '0') return `hello-${language}-evicted`;
    problems.push(`cached '${clip(cached)}' is neither 0 nor 1`);
    return undefined;
  }

  /** The columns of the value, added up. */
  #value(row: CsvRow, problems: string[]): number {
    let sum = 0;
    for (const column of ['time', 'memory', 'setup', 'startup']) {
      const text = this.#field(row, column);
      if (text === undefined) continue;
      const number = Number(text);
      if (text.startsWith('-') && number < 0) {
        problems.push(`${column} '${clip(text)}' is negative`);
      } else if (!/^\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) {
        problems.push(`${column} '${clip(text)}' is no number`);
      } else if (number * UNIT_SIZES[this.#form.unit] > VALUE_MAX[this.#form.unit]) {
        problems.push(`${column} '${clip(text)}' is too large to be one, in ${this.#form.unit}`);
      }
      sum += number;
    }
    return Math.round(sum * UNIT_SIZES[this.#form.unit]);
  }
}

function clip(text: string): string {
  return text.slice(0, 40).replaceAll(/[^\x20-\x7E]/g, '?');
}

/** Which of several kinds with one header it is, by what the rows are. */
function decide(
  candidates: readonly StudyForm[],
  values: readonly SourceValue[],
  fileName: string,
): StudyForm {
  const named = (name: string): StudyForm | undefined =>
    candidates.find((form) => form.name === name);
  const [only] = candidates;
  const containerStart = named('container-cold-start');
  const rowBurst = named('burst');
  const endBurst = named('container-burst');
  if (only !== undefined && candidates.length === 1) {
    if (only === rowBurst) assertOneBatch(values, fileName);
    return only;
  }
  if (containerStart !== undefined) {
    const isContainer = values.every(({ cell }) => ['runc', 'runsc'].includes(cell.sandbox));
    const coldStart = named('cold-start');
    if (isContainer || coldStart === undefined) return containerStart;
    return coldStart;
  }
  if (rowBurst === undefined || endBurst === undefined) throw new Error('no rule for these kinds');
  const counts = [...countByCell(values)];
  const isFull = counts.filter(([cell, count]) => cell.instances === count).length;
  const isEven = new Set(counts.map(([, count]) => count)).size === 1;
  const hasSizes = new Set(counts.map(([cell]) => cell.instances)).size > 1;
  if (isEven && hasSizes) return endBurst;
  if (hasSizes && isFull * 2 > counts.length) {
    assertOneBatch(values, fileName);
    return rowBurst;
  }
  throw importError(
    fileName,
    [{ message: 'the rows could be sandboxes of a batch, or whole batches' }],
    'Say which: --as burst (a row per sandbox) or --as container-burst (a row per batch).',
  );
}

function assertOneBatch(values: readonly SourceValue[], fileName: string): void {
  const mistakes = [...countByCell(values)]
    .filter(([cell, count]) => count > cell.instances)
    .map(([cell, count]) => ({
      message:
        `${cell.id} has ${count} rows for a batch of ${cell.instances}; the file does not tell ` +
        'where one batch ends',
    }));
  if (mistakes.length > 0) throw importError(fileName, mistakes);
}

function countByCell(values: readonly SourceValue[]): Map<Cell, number> {
  const counts = new Map<Cell, number>();
  for (const { cell } of values) counts.set(cell, (counts.get(cell) ?? 0) + 1);
  return counts;
}
