import * as Plot from '@observablehq/plot';
import { formatMs } from '../analysis/format-ms.ts';
import { groupBy } from '../analysis/measured-result.ts';
import type { CellSummary, DurationStatistics, RunSummary } from '../analysis/run-summary.ts';
import { ROWS_MAX, groupTitle, rowTitle, sandboxesOf } from './cell-names.ts';
import { coverageText } from './coverage-text.ts';
import { figureMarkup } from './figure.ts';
import type { Markup } from './markup.ts';
import { METRIC_TEXTS } from './metric-texts.ts';
import { plotSvg } from './plot-svg.ts';
import { pointLegend, pointLook } from './point-legend.ts';
import { figureAxis, valueScale } from './value-axis.ts';
import type { ValueAxis } from './value-axis.ts';

interface Row {
  readonly row: string;
  readonly colour: string;
  readonly symbol: string;
  readonly median: number;
  readonly lower: number | undefined;
  readonly upper: number | undefined;
  readonly p95: number;
  readonly text: string;
}

/** The median of each cell with its interval, and the p95. Undefined if nothing was measured. */
export function intervalPlot(summary: RunSummary): Markup | undefined {
  const axis = figureAxis(summary);
  if (axis === undefined) return undefined;
  const sandboxes = sandboxesOf(summary);
  // What is compared stands together.
  const together = [...groupBy(summary.cells, ({ cell }) => groupTitle(cell)).values()].flat();
  const measured = together.flatMap((cell) =>
    cell.latency === undefined ? [] : [{ cell, latency: cell.latency }],
  );
  const rows = measured.slice(0, ROWS_MAX).map(({ cell, latency }) => {
    const { colour, symbol } = pointLook(sandboxes.indexOf(cell.cell.sandbox));
    return { row: rowTitle(cell), colour, symbol, ...placesOf(latency, axis) } satisfies Row;
  });
  const without = measured.filter(({ latency }) => latency.medianInterval === undefined).length;
  const caption = [
    `Symbol: median. Thick line: its ${coverageText(summary.coverage)} interval. Small upright ` +
      'stroke: p95.',
    ...(without > 0
      ? [`${without} of ${measured.length} cells have too few values for an interval.`]
      : []),
    ...(measured.length > rows.length
      ? [`The first ${rows.length} of ${measured.length} cells are drawn; the table has all.`]
      : []),
  ].join(' ');
  const legend = sandboxes.map((name, index) => ({ name, look: pointLook(index) }));
  return figureMarkup({
    title: `Medians of the ${METRIC_TEXTS[summary.metric].name}`,
    svg: drawRows(rows, axis, { ...summary, cells: together }),
    legend: pointLegend(legend),
    caption,
    isWide: true,
  });
}

function placesOf(latency: DurationStatistics, { placeOf, domain, isLogarithmic }: ValueAxis) {
  const place = (valueNs: number): number =>
    placeOf(isLogarithmic ? Math.max(domain[0], valueNs / 1e6) : valueNs / 1e6);
  const { medianNs, p95Ns, medianInterval } = latency;
  return {
    median: place(medianNs),
    lower: medianInterval === undefined ? undefined : place(medianInterval.lower),
    upper: medianInterval === undefined ? undefined : place(medianInterval.upper),
    p95: place(p95Ns),
    text: `${formatMs(medianNs)} ms`,
  };
}

function drawRows(
  rows: readonly Row[],
  axis: ValueAxis,
  { cells, metric, coverage }: RunSummary,
): Markup {
  const longest = rows.reduce((length, { row }) => Math.max(length, row.length), 0);
  return plotSvg({
    width: 1040,
    height: 56 + 24 * rows.length,
    marginLeft: Math.min(300, 16 + 7 * longest),
    marginRight: 80,
    marginBottom: 42,
    marginTop: 8,
    x: valueScale(axis, metric, 14),
    y: { domain: rows.map(({ row }) => row), label: null, tickSize: 0 },
    color: { type: 'identity' },
    symbol: { type: 'identity' },
    marks: [
      Plot.gridY({ strokeOpacity: 0.08 }),
      Plot.ruleY(
        rows.filter(({ lower }) => lower !== undefined),
        { y: 'row', x1: 'lower', x2: 'upper', stroke: 'colour', strokeWidth: 4 },
      ),
      Plot.tickX(rows, {
        x: 'p95',
        y: 'row',
        stroke: 'colour',
        strokeWidth: 2,
        insetTop: 7,
        insetBottom: 7,
      }),
      Plot.dot(rows, {
        x: 'median',
        y: 'row',
        stroke: 'colour',
        fill: 'var(--page)',
        symbol: 'symbol',
        strokeWidth: 2,
        r: 4.5,
      }),
      Plot.text(rows, { y: 'row', text: 'text', frameAnchor: 'right', textAnchor: 'start', dx: 8 }),
    ],
    ariaLabel:
      `Median ${METRIC_TEXTS[metric].name} of each cell with its ${coverageText(coverage)} ` +
      'interval and p95',
    ariaDescription: cells.slice(0, ROWS_MAX).map(describe).join('; '),
  });
}

function describe(cell: CellSummary): string {
  const { latency } = cell;
  if (latency === undefined) return `${rowTitle(cell)}: nothing measured`;
  const { medianInterval: interval, medianNs, p95Ns } = latency;
  const within =
    interval === undefined
      ? 'no interval'
      : `${formatMs(interval.lower)} to ${formatMs(interval.upper)}`;
  return `${rowTitle(cell)}: median ${formatMs(medianNs)} ms (${within}), p95 ${formatMs(p95Ns)}`;
}
