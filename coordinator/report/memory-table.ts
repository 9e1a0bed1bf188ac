import type { MemorySlope } from '../analysis/run-summary.ts';

const MIB = 2 ** 20;
const ABSENT = '-';

/** The columns of {@link memoryRows}. */
export const MEMORY_HEADER: readonly string[] = [
  'sandbox',
  'function',
  'points',
  'sandboxes',
  'least squares',
  'Theil-Sen',
  '95 % interval',
];

/** What the table says, and what it does not. */
export const MEMORY_CAPTION =
  'Memory per further sandbox, MiB; the interval is of the Theil-Sen slope of one series.';

/** A row of texts per sandbox and function, ascending by function and slope. */
export function memoryRows(slopes: readonly MemorySlope[]): string[][] {
  const ordered = slopes.toSorted((left, right) =>
    left.function === right.function
      ? left.leastSquaresBytes - right.leastSquaresBytes
      : left.function < right.function
        ? -1
        : 1,
  );
  return ordered.map((slope) => {
    const { instances, leastSquaresBytes, theilSenBytes, theilSenInterval } = slope;
    return [
      slope.sandbox,
      slope.function,
      String(slope.n),
      `${instances[0]} to ${instances[1]}`,
      mib(leastSquaresBytes),
      theilSenBytes === undefined ? ABSENT : mib(theilSenBytes),
      theilSenInterval === undefined
        ? ABSENT
        : `[${mib(theilSenInterval.lower)}, ${mib(theilSenInterval.upper)}]`,
    ];
  });
}

/** The table as lines of text; none without slopes. */
export function memoryLines(slopes: readonly MemorySlope[]): string[] {
  if (slopes.length === 0) return [];
  const rows = [MEMORY_HEADER, ...memoryRows(slopes)];
  const widths = MEMORY_HEADER.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((text, column) => padded(text, column, widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [MEMORY_CAPTION, ...lines];
}

function padded(text: string, column: number, width: number): string {
  return column < 2 ? text.padEnd(width) : text.padStart(width);
}

/** To 3 digits, as people compare sizes. */
function mib(bytes: number): string {
  const value = bytes / MIB;
  if (value === 0) return '0';
  return Math.abs(value) >= 100 ? value.toFixed(1) : value.toPrecision(3);
}
