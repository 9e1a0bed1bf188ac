import * as Plot from '@observablehq/plot';
import type { CellSummary, RunSummary } from '../analysis/run-summary.ts';
import { failureRateText } from './cell-columns.ts';
import { ROWS_MAX, rowTitle } from './cell-names.ts';
import { figureMarkup } from './figure.ts';
import type { Markup } from './markup.ts';
import { plotSvg } from './plot-svg.ts';
import { pointLegend, pointLook } from './point-legend.ts';

const LOOKS = {
  failed: { name: 'failed, with the 95 % interval of the rate', look: pointLook(1) },
  invalid: { name: 'invalid', look: pointLook(0) },
} as const;

/**
 * How much of each cell failed, with Wilson's interval, and how much is invalid. Undefined if
 * nothing failed and nothing is invalid.
 */
export function failurePlot({ cells }: Pick<RunSummary, 'cells'>): Markup | undefined {
  const tried = cells.filter(({ attempts }) => attempts > 0);
  if (!tried.some(({ failures, invalid }) => failures + invalid > 0)) return undefined;
  // The worst first where not all have room.
  const worst = tried.toSorted((a, b) => shareOf(b) - shareOf(a)).slice(0, ROWS_MAX);
  const shown = tried.filter((cell) => worst.includes(cell));
  const others = tried.length - shown.length;
  return figureMarkup({
    title: 'Failed and invalid results of each cell',
    svg: drawRows(shown),
    legend: pointLegend(Object.values(LOOKS)),
    caption:
      'Share of the attempts. A failure is a result, and has no latency; an invalid result is ' +
      'kept and counted, and left out of the latency.' +
      (others > 0 ? ` The ${shown.length} cells with most of them; ${others} are not drawn.` : ''),
    isWide: true,
  });
}

function shareOf({ failures, invalid, attempts }: CellSummary): number {
  return (failures + invalid) / attempts;
}

function drawRows(cells: readonly CellSummary[]): Markup {
  const rows = cells.map((cell) => ({
    row: rowTitle(cell),
    failed: (100 * cell.failures) / cell.attempts,
    invalid: (100 * cell.invalid) / cell.attempts,
    lower: 100 * (cell.failureInterval?.lower ?? 0),
    upper: 100 * (cell.failureInterval?.upper ?? 1),
    text: `${cell.failures} failed, ${cell.invalid} invalid of ${cell.attempts}`,
  }));
  const longest = rows.reduce((length, { row }) => Math.max(length, row.length), 0);
  const widest = rows.reduce((length, { text }) => Math.max(length, text.length), 0);
  const { failed, invalid } = { failed: LOOKS.failed.look, invalid: LOOKS.invalid.look };
  return plotSvg({
    width: 1040,
    height: 56 + 24 * rows.length,
    marginLeft: Math.min(300, 16 + 7 * longest),
    marginRight: 16 + 7 * widest,
    marginBottom: 42,
    marginTop: 8,
    x: {
      domain: [0, 100],
      label: 'share of attempts, %',
      labelAnchor: 'center',
      labelArrow: 'none',
      grid: true,
    },
    y: { domain: rows.map(({ row }) => row), label: null, tickSize: 0 },
    marks: [
      Plot.ruleX([0]),
      Plot.ruleY(rows, {
        y: 'row',
        x1: 'lower',
        x2: 'upper',
        stroke: failed.colour,
        strokeWidth: 3,
      }),
      Plot.dot(rows, { x: 'failed', y: 'row', stroke: failed.colour, symbol: failed.symbol, r: 5 }),
      Plot.dot(
        rows.filter((row) => row.invalid > 0),
        { x: 'invalid', y: 'row', stroke: invalid.colour, symbol: invalid.symbol, r: 5 },
      ),
      Plot.text(rows, { y: 'row', text: 'text', frameAnchor: 'right', textAnchor: 'start', dx: 8 }),
    ],
    ariaLabel: 'Share of failed and invalid results of each cell, with the interval of the rate',
    ariaDescription: cells
      .map(
        (cell) =>
          `${rowTitle(cell)}: ${cell.failures} failed and ${cell.invalid} invalid of ` +
          `${cell.attempts}, failure rate ${failureRateText(cell) ?? 'unknown'}`,
      )
      .join('; '),
  });
}
