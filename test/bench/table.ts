import type { BenchmarkResult, BenchmarkValue } from './benchmark.ts';

/** Writes a result as lines of aligned columns, with its notes below. */
export function formatTable({ columns, rows, notes }: BenchmarkResult): string[] {
  const texts = [columns, ...rows.map((row) => columns.map((_, index) => formatValue(row[index])))];
  const widths = columns.map((_, index) =>
    Math.max(...texts.map((line) => line[index]?.length ?? 0)),
  );
  const isText = columns.map((_, index) => rows.some((row) => typeof row[index] === 'string'));
  const lines = texts.map((line) =>
    line
      .map((text, index) => {
        const width = widths[index] ?? 0;
        return isText[index] === true ? text.padEnd(width) : text.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
  return [...lines, ...notes.map((note) => `note: ${note}`)];
}

function formatValue(value: BenchmarkValue): string {
  if (value === undefined) return '-';
  if (typeof value === 'string') return value;
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}
