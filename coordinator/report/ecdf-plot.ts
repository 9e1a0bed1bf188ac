import * as Plot from '@observablehq/plot';
import { ecdf } from '../analysis/ecdf.ts';
import { formatMs } from '../analysis/format-ms.ts';
import { counted } from '../analysis/note.ts';
import { groupBy } from '../analysis/measured-result.ts';
import type { CellSummary, RunSummary } from '../analysis/run-summary.ts';
import { PANELS_MAX, groupTitle, sandboxesOf } from './cell-names.ts';
import { figureGroup } from './figure.ts';
import { lineLegend, seriesLook } from './legend.ts';
import type { Markup } from './markup.ts';
import { METRIC_TEXTS } from './metric-texts.ts';
import { plotSvg } from './plot-svg.ts';
import { valueAxis, valueScale } from './value-axis.ts';
import type { ValueAxis } from './value-axis.ts';

/** More steps of a line than this can't be told apart on the page. */
const STEPS_MAX = 500;

/** More steps than this in all lines together make the page heavy. */
const STEPS_SUM_MAX = 20_000;

/**
 * The distributions of a run: one plot per function and number of sandboxes, one line per kind of
 * sandbox, all on one axis. Undefined if nothing was measured.
 */
export function ecdfPlots(summary: RunSummary): Markup | undefined {
  const axis = valueAxis(summary);
  if (axis === undefined) return undefined;
  const measured = summary.cells.filter(({ units }) => units.length > 0);
  const sandboxes = sandboxesOf(summary);
  const groups = [...groupBy(measured, ({ cell }) => groupTitle(cell)).entries()];
  const shown = groups.slice(0, PANELS_MAX);
  const lines = shown.reduce((sum, [, cells]) => sum + cells.length, 0);
  const stepsMax = Math.max(20, Math.min(STEPS_MAX, Math.floor(STEPS_SUM_MAX / lines)));
  const figures = shown.map(([title, cells]) => ({
    title,
    svg: plotOf({ title, cells, axis, sandboxes, metric: summary.metric, stepsMax }),
  }));
  const most = measured.reduce((size, { units }) => Math.max(size, units.length), 0);
  const caption = [
    'Each step is one value (one trial on one host). The median is where a line crosses 50 %.',
    summary.metric === 'lateness'
      ? 'The steeper a line, the steadier the starts.'
      : 'The farther left a line lies, the faster the sandbox; the steeper, the steadier.',
    ...(axis.beyond > 0 ? [`${counted(axis.beyond, 'value')} beyond the edge, not drawn.`] : []),
    ...(most > stepsMax
      ? [`A line of more than ${stepsMax} values is drawn through ${stepsMax} of its steps.`]
      : []),
    ...(groups.length > shown.length
      ? [`The first ${shown.length} of ${groups.length} are drawn; the table has all.`]
      : []),
  ].join(' ');
  const looks = sandboxes.map((name, index) => ({ name, look: seriesLook(index) }));
  return figureGroup(figures, { legend: lineLegend(looks), caption });
}

interface EcdfSources {
  readonly title: string;
  readonly cells: readonly CellSummary[];
  readonly axis: ValueAxis;
  readonly sandboxes: readonly string[];
  readonly metric: RunSummary['metric'];
  readonly stepsMax: number;
}

function plotOf({ title, cells, axis, sandboxes, metric, stepsMax }: EcdfSources): Markup {
  const lines = cells.map((cell) => {
    const { colour, dash } = seriesLook(sandboxes.indexOf(cell.cell.sandbox));
    return Plot.line(stepsOf(cell, axis, stepsMax), {
      x: 'place',
      y: 'share',
      curve: 'step-after',
      stroke: colour,
      strokeWidth: 2,
      ...(dash === undefined ? {} : { strokeDasharray: dash }),
    });
  });
  return plotSvg({
    width: 500,
    height: 300,
    marginLeft: 48,
    marginBottom: 42,
    marginRight: 16,
    marginTop: 28,
    x: valueScale(axis, metric),
    y: {
      domain: [0, 1],
      label: 'share of values',
      ticks: [0, 0.25, 0.5, 0.75, 1],
      tickFormat: (share: number) => `${share * 100} %`,
      labelArrow: 'none',
      grid: true,
    },
    marks: [Plot.ruleY([0]), ...lines],
    ariaLabel: `Distribution of the ${METRIC_TEXTS[metric].name}, ${title}`,
    ariaDescription: cells.map(describe).join('; '),
  });
}

function stepsOf(
  { units }: CellSummary,
  axis: ValueAxis,
  stepsMax: number,
): { place: number; share: number }[] {
  const [beginMs, endMs] = axis.domain;
  const shown = ecdf(
    Float64Array.from(units, ({ valueNs }) => valueNs / 1e6),
    stepsMax,
  )
    .filter(({ value }) => value >= beginMs && value <= endMs)
    .map(({ value, share }) => ({ place: axis.placeOf(value), share }));
  const [first] = shown;
  if (first === undefined) return [];
  const reached = shown.at(-1)?.share ?? 1;
  const end = { place: axis.placeOf(endMs), share: reached };
  return [{ place: first.place, share: 0 }, ...shown, end];
}

function describe({ cell, latency }: CellSummary): string {
  if (latency === undefined) return `${cell.sandbox}: nothing measured`;
  const { minNs, medianNs, maxNs } = latency;
  return (
    `${cell.sandbox}: ${formatMs(minNs)} to ${formatMs(maxNs)} ms, ` +
    `median ${formatMs(medianNs)} ms`
  );
}
