import { styleText } from 'node:util';
import { formatMs } from '../analysis/format-ms.ts';
import { orderClauses } from '../analysis/order-statement.ts';
import type { BarrierSummary, CellSummary, Note, RunSummary } from '../analysis/run-summary.ts';
import { cellColumns } from './cell-columns.ts';
import type { CellColumn } from './cell-columns.ts';
import { measureLines } from './measure-table.ts';
import { memoryLines } from './memory-table.ts';
import { printable } from './printable.ts';

/** How a table is drawn. */
export interface TableOptions {
  /** True to use colours and bold of a terminal. Default false. */
  readonly colour?: boolean;
  /** Columns of the terminal; where it is narrow, less important columns go. Default 100. */
  readonly width?: number;
}

interface Column extends CellColumn {
  readonly align: 'left' | 'right';
}

type Paint = (style: 'bold' | 'dim' | 'red' | 'yellow', text: string) => string;

const GAP = '  ';
const ABSENT = '-';

/**
 * The summary of a run as plain text for a terminal, without a line end at its end: what was
 * asked, a line per cell, the start spread with its bound, the answer, and the notes.
 */
export function renderTable(summary: RunSummary, options: TableOptions = {}): string {
  const width = Math.max(40, options.width ?? 100);
  const paint: Paint = (style, text) =>
    options.colour === true ? styleText(style, text, { validateStream: false }) : text;
  const { planned, done, stoodDown } = summary.trials;
  const progress =
    `${summary.experiment} ${summary.runId}: ${summary.state}, ${done} of ${planned} trials done` +
    (stoodDown > 0 ? `, ${stoodDown} stood down` : '') +
    '; times in ms';
  const paragraphs = [
    [
      ...wrap(printable(summary.question), width).map((line) => paint('bold', line)),
      ...wrap(progress, width),
    ],
    cellLines(summary, width, paint),
    measureLines(summary.measures ?? []),
    memoryLines(summary.memory ?? []),
    [...startLines(summary), ...orderClauses(summary).map((clause) => `${clause}.`)].flatMap(
      (line) => wrap(line, width),
    ),
    summary.notes.flatMap((note) => noteLines(note, width, paint)),
  ];
  return paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function columnsOf(summary: RunSummary): Column[] {
  const left = { align: 'left', dispensable: 0 } as const;
  const hasBatches = summary.cells.some(({ cell }) => cell.instances > 1);
  const atOnce = (cell: CellSummary): string => String(cell.cell.instances);
  return [
    { ...left, title: 'sandbox', text: ({ cell }) => cell.sandbox },
    { ...left, title: 'function', text: ({ cell }) => cell.function },
    ...(hasBatches
      ? [{ title: 'at once', align: 'right', dispensable: 0, text: atOnce } as const]
      : []),
    ...cellColumns(summary, true).map((column) => ({ ...column, align: 'right' }) as const),
  ];
}

function cellLines(summary: RunSummary, width: number, paint: Paint): string[] {
  const isMemoryOnly =
    summary.memory !== undefined && summary.cells.every(({ latency }) => latency === undefined);
  if (summary.cells.length === 0 || isMemoryOnly) return [];
  const columns = fitting(columnsOf(summary), summary.cells, width);
  const header = columns.map((column) => aligned(column.title, column));
  return [
    paint('bold', header.join(GAP).trimEnd()),
    ...summary.cells.map((cell) =>
      columns
        .map((column) => {
          const text = aligned(column.text(cell) ?? ABSENT, column);
          return column.isAlarming?.(cell) === true ? paint('red', text) : text;
        })
        .join(GAP)
        .trimEnd(),
    ),
  ];
}

type SizedColumn = Column & { readonly width: number };

function fitting(
  columns: readonly Column[],
  cells: readonly CellSummary[],
  width: number,
): SizedColumn[] {
  let sized = columns.map((column) => ({
    ...column,
    width: Math.max(
      column.title.length,
      ...cells.map((cell) => (column.text(cell) ?? ABSENT).length),
    ),
  }));
  const total = (): number =>
    sized.reduce((sum, column) => sum + column.width + GAP.length, -GAP.length);
  while (total() > width) {
    const most = Math.max(...sized.map(({ dispensable }) => dispensable));
    if (most === 0) break;
    sized = sized.filter(({ dispensable }) => dispensable !== most);
  }
  return sized;
}

function aligned(text: string, { align, width }: SizedColumn): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}

function startLines({ start, notes }: RunSummary): string[] {
  const lines: string[] = [];
  if (notes.some(({ code }) => code === 'imported')) return lines;
  const { spread, pairBoundNs, lateness, waves, barriers } = start;
  if (spread !== undefined && pairBoundNs !== undefined) {
    lines.push(
      `Start spread: median ${formatMs(spread.medianNs)}, p95 ${formatMs(spread.p95Ns)}, ` +
        `max ${formatMs(spread.maxNs)} ms ± ${formatMs(pairBoundNs)} ms clock bound ` +
        `(${spread.n} ${waves > 1 ? 'waves' : 'trials'} on 2 devices or more).`,
    );
  } else {
    const unit = waves > 1 ? 'wave' : 'trial';
    lines.push(`Start spread: unknown, no ${unit} has two synchronised starts.`);
  }
  if (lateness !== undefined) {
    lines.push(
      `Lateness: median ${formatMs(lateness.medianNs)}, p95 ${formatMs(lateness.p95Ns)}, ` +
        `max ${formatMs(lateness.maxNs)} ms (${lateness.n} starts).`,
    );
  }
  if (waves > 1) {
    lines.push(`In ${waves} waves, each simultaneous in itself; the spread is within a wave.`);
  }
  if (barriers.length > 0) lines.push(`${barriers.map(barrierText).join('; ')}.`);
  return lines;
}

function barrierText({ name, spread, boundNs, lateness }: BarrierSummary): string {
  const apart =
    spread === undefined || boundNs === undefined
      ? 'spread unknown'
      : `spread median ${formatMs(spread.medianNs)}, p95 ${formatMs(spread.p95Ns)}, max ` +
        `${formatMs(spread.maxNs)} ms ± ${formatMs(boundNs)} ms`;
  const late =
    lateness === undefined
      ? ''
      : `, lateness p95 ${formatMs(lateness.p95Ns)}, max ${formatMs(lateness.maxNs)} ms`;
  return `Barrier ${name}: ${apart}${late}`;
}

function noteLines(note: Note, width: number, paint: Paint): string[] {
  const isWarning = note.level === 'warning';
  const label = isWarning ? 'warning: ' : 'note: ';
  const [first = '', ...rest] = wrap(
    `${label}${printable(note.message)} ${printable(note.remedy)}`,
    width - 2,
  );
  const opening = isWarning
    ? paint('yellow', 'warning:') + first.slice(label.length - 1)
    : paint('dim', 'note:') + first.slice(label.length - 1);
  return [opening, ...rest.map((line) => `  ${line}`)];
}

/** Breaks a line at spaces; a word that is too long has a line of its own. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return line === '' ? lines : [...lines, line];
}
