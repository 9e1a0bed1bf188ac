import { MEASURES } from '../../schemas/measurement.ts';
import type { MeasureName } from '../../schemas/measurement.ts';
import type { Interval, MeasureSummary } from '../analysis/run-summary.ts';

const ABSENT = '-';
const SMALL_BYTES = 100_000;

/** The columns of {@link measureRows}. */
export const MEASURE_HEADER: readonly string[] = [
  'cell',
  'measure',
  'of',
  'n',
  'median',
  '95 % interval',
  'min',
  'max',
  'unit',
];

/** What the table says. */
export const MEASURE_CAPTION =
  'What was measured beside the phases: medians over trials on hosts. Several sandboxes, ' +
  'intervals or later calls of a trial count once, by their median.';

/** What figures are divided by and shown in, by the unit of the measure. */
const SHOWN: Readonly<Record<(typeof MEASURES)[MeasureName]['unit'], readonly [number, string]>> = {
  ns: [1e6, 'ms'],
  By: [2 ** 20, 'MiB'],
  'By/s': [2 ** 20, 'MiB/s'],
  '{request}': [1, 'requests'],
  '{request}/s': [1, 'requests/s'],
  '{sandbox}': [1, 'sandboxes'],
  '{event}': [1, 'events'],
};

/** A row of texts per line of the summary. */
export function measureRows(measures: readonly MeasureSummary[]): string[][] {
  return measures.map((line) => {
    const [divisor, unit] = shownUnit(line);
    const text = (value: number): string => figure(value / divisor);
    return [
      line.cellId,
      line.measure,
      labelsText(line.labels),
      String(line.n),
      text(line.median),
      intervalText(line.interval, text),
      text(line.min),
      text(line.max),
      unit,
    ];
  });
}

/** Small sizes stay in bytes. */
function shownUnit({ measure, max }: MeasureSummary): readonly [number, string] {
  const { unit } = MEASURES[measure];
  return unit === 'By' && max < SMALL_BYTES ? [1, 'bytes'] : SHOWN[unit];
}

/** Labels as `name=value`, or a dash. */
export function labelsText(labels: MeasureSummary['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? ABSENT : pairs.join(' ');
}

/** The table as lines of text; none without measures. At most so many lines are shown. */
export function measureLines(measures: readonly MeasureSummary[], linesMax = 60): string[] {
  if (measures.length === 0) return [];
  const shown = measures.slice(0, linesMax);
  const rows = [MEASURE_HEADER, ...measureRows(shown)];
  const widths = MEASURE_HEADER.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const isText = (column: number): boolean => column < 3 || column === MEASURE_HEADER.length - 1;
  const lines = rows.map((row) =>
    row
      .map((text, column) =>
        isText(column) ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  const left = measures.length - shown.length;
  return left === 0 ? lines : [...lines, `and ${left} more lines; the report has them all`];
}

function intervalText(interval: Interval | undefined, text: (value: number) => string): string {
  if (interval === undefined) return ABSENT;
  return `[${text(interval.lower)}, ${text(interval.upper)}]`;
}

/** To 4 digits. */
function figure(value: number): string {
  if (value === 0) return '0';
  return Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(4);
}
