import { formatMs } from '../analysis/format-ms.ts';
import type { CellSummary, DurationStatistics, RunSummary } from '../analysis/run-summary.ts';
import { coverageText } from './coverage-text.ts';
import { METRIC_TEXTS } from './metric-texts.ts';

/** A column of figures in the table of cells, on the page and in a terminal alike. */
export interface CellColumn {
  readonly title: string;
  /** Columns with the highest number go first where there is little room; 0 stays. */
  readonly dispensable: number;
  /** Undefined if the cell has no such figure. */
  readonly text: (cell: CellSummary) => string | undefined;
  readonly isAlarming?: (cell: CellSummary) => boolean;
}

/** The figures of each cell, in order; `isShort` for the titles of a terminal. */
export function cellColumns(
  { cells, metric, coverage }: Pick<RunSummary, 'cells' | 'metric' | 'coverage'>,
  isShort: boolean,
): CellColumn[] {
  const texts = METRIC_TEXTS[metric];
  const hasUnmeasured = cells.some(({ unmeasured }) => unmeasured > 0);
  return [
    { title: 'attempts', dispensable: 5, text: ({ attempts }) => String(attempts) },
    alarmColumn('failed', 3, ({ failures }) => failures),
    alarmColumn('invalid', 4, ({ invalid }) => invalid),
    ...(hasUnmeasured ? [alarmColumn('unmeasured', 9, ({ unmeasured }) => unmeasured)] : []),
    { title: 'n', dispensable: 1, text: ({ units }) => String(units.length) },
    {
      title: isShort ? texts.shortMedian : texts.median,
      dispensable: 0,
      text: ms(({ medianNs }) => medianNs),
    },
    { title: `${coverageText(coverage)} interval`, dispensable: 0, text: intervalText },
    { title: 'p95', dispensable: 2, text: ms(({ p95Ns }) => p95Ns) },
    { title: 'min', dispensable: 7, text: ms(({ minNs }) => minNs) },
    { title: 'max', dispensable: 6, text: ms(({ maxNs }) => maxNs) },
    { title: 'failure rate, 95 %', dispensable: 8, text: failureRateText },
  ];
}

function alarmColumn(
  title: string,
  dispensable: number,
  countOf: (cell: CellSummary) => number,
): CellColumn {
  return {
    title,
    dispensable,
    text: (cell) => String(countOf(cell)),
    isAlarming: (cell) => countOf(cell) > 0,
  };
}

/** The failure rate with its interval, in percent. Undefined without attempts. */
export function failureRateText(cell: CellSummary): string | undefined {
  const { failureRate, failureInterval } = cell;
  if (failureRate === undefined || failureInterval === undefined) return undefined;
  const percent = (share: number): string =>
    (share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0);
  const { lower, upper } = failureInterval;
  return `${percent(failureRate)} % [${percent(lower)}, ${percent(upper)}]`;
}

function ms(pick: (latency: DurationStatistics) => number): CellColumn['text'] {
  return ({ latency }) => (latency === undefined ? undefined : formatMs(pick(latency)));
}

function intervalText({ latency }: CellSummary): string | undefined {
  const interval = latency?.medianInterval;
  if (interval === undefined) return undefined;
  return `[${formatMs(interval.lower)}, ${formatMs(interval.upper)}]`;
}
