import * as Plot from '@observablehq/plot';
import { ecdf } from '../analysis/ecdf.ts';
import { formatMs } from '../analysis/format-ms.ts';
import { groupBy } from '../analysis/measured-result.ts';
import type { CellSummary, RunSummary } from '../analysis/run-summary.ts';
import { lineLegend, seriesLook } from './legend.ts';
import { METRIC_TEXTS } from './metric-texts.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { logTicks, plotSvg } from './plot-svg.ts';

/** More steps than this can't be told apart on the page. */
const STEPS_MAX = 500;

/**
 * The distributions of a run: one plot per function and number of sandboxes, one line per kind of
 * sandbox, all on one axis. Undefined if nothing was measured.
 */
export function ecdfPlots(summary: RunSummary): Markup | undefined {
  const axis = axisOf(summary);
  if (axis === undefined) return undefined;
  const measured = summary.cells.filter(({ units }) => units.length > 0);
  const sandboxes = [...new Set(summary.cells.map(({ cell }) => cell.sandbox))];
  const groups = groupBy(measured, ({ cell }) => groupTitle(cell.function, cell.instances));
  const legend = sandboxes.map((name, index) => ({ name, look: seriesLook(index) }));
  return html`${lineLegend(legend)}
    <div class="multiples">
      ${[...groups].map(
        ([title, cells]) =>
          html`<figure>
            <h3>${title}</h3>
            ${plotOf({ title, cells, axis, sandboxes, metric: summary.metric })}
          </figure>`,
      )}
    </div>`;
}

function groupTitle(name: string, instances: number): string {
  return instances === 1 ? name : `${name}, ${instances} at once`;
}

/**
 * The axis of the values: powers of ten on a linear scale, because a logarithmic scale of the plot
 * library leaves out some labels of the ticks that it is given. A lateness may be 0 or negative,
 * which has no logarithm; its axis holds ms.
 */
interface Axis {
  /** Lowest and highest value, ms. */
  readonly domain: readonly [number, number];
  readonly isLogarithmic: boolean;
  readonly placeOf: (valueMs: number) => number;
}

function axisOf({ cells, metric }: RunSummary): Axis | undefined {
  const isLogarithmic = metric !== 'lateness';
  const values = cells
    .flatMap(({ units }) => units.map(({ valueNs }) => valueNs / 1e6))
    .filter((valueMs) => !isLogarithmic || valueMs > 0);
  if (values.length === 0) return undefined;
  const [lowest, highest] = [least(values), greatest(values)];
  if (isLogarithmic) {
    return { domain: [lowest / 1.15, highest * 1.15], isLogarithmic, placeOf: Math.log10 };
  }
  const margin = 0.05 * (highest - lowest || Math.abs(highest) || 1);
  const domain = [lowest - margin, highest + margin] as const;
  return { domain, isLogarithmic, placeOf: (valueMs) => valueMs };
}

interface EcdfSources {
  readonly title: string;
  readonly cells: readonly CellSummary[];
  readonly axis: Axis;
  readonly sandboxes: readonly string[];
  readonly metric: RunSummary['metric'];
}

function plotOf({ title, cells, axis, sandboxes, metric }: EcdfSources): Markup {
  const lines = cells.map((cell) => {
    const { colour, dash } = seriesLook(sandboxes.indexOf(cell.cell.sandbox));
    return Plot.line(stepsOf(cell, axis), {
      x: 'place',
      y: 'share',
      curve: 'step-after',
      stroke: colour,
      strokeWidth: 2,
      ...(dash === undefined ? {} : { strokeDasharray: dash }),
    });
  });
  const what = METRIC_TEXTS[metric].name;
  return plotSvg({
    width: 500,
    height: 300,
    marginLeft: 48,
    marginBottom: 42,
    marginRight: 16,
    marginTop: 28,
    x: {
      domain: axis.domain.map(axis.placeOf),
      label: axis.isLogarithmic ? `${what}, ms (logarithmic)` : `${what}, ms`,
      ...(axis.isLogarithmic
        ? {
            ticks: logTicks(...axis.domain).map(Math.log10),
            tickFormat: (power: number) => String(Number((10 ** power).toPrecision(1))),
          }
        : { ticks: 6 }),
      labelAnchor: 'center',
      labelArrow: 'none',
      grid: true,
    },
    y: {
      domain: [0, 1],
      label: 'share of values',
      ticks: [0, 0.25, 0.5, 0.75, 1],
      tickFormat: (share: number) => `${share * 100} %`,
      labelArrow: 'none',
      grid: true,
    },
    marks: [Plot.ruleY([0]), ...lines],
    ariaLabel: `Distribution of the ${what}, ${title}`,
    ariaDescription: cells.map(describe).join('; '),
  });
}

function stepsOf({ units }: CellSummary, axis: Axis): { place: number; share: number }[] {
  const [beginMs, endMs] = axis.domain;
  const steps = ecdf(units.map(({ valueNs }) => valueNs / 1e6)).filter(
    ({ value }) => value >= beginMs,
  );
  const stride = Math.ceil(steps.length / STEPS_MAX);
  const shown = steps
    .filter((_, index) => index % stride === 0 || index === steps.length - 1)
    .map(({ value, share }) => ({ place: axis.placeOf(value), share }));
  const [first] = shown;
  if (first === undefined) return [];
  return [{ place: first.place, share: 0 }, ...shown, { place: axis.placeOf(endMs), share: 1 }];
}

function describe({ cell, latency }: CellSummary): string {
  if (latency === undefined) return `${cell.sandbox}: nothing measured`;
  const { minNs, medianNs, maxNs } = latency;
  return (
    `${cell.sandbox}: ${formatMs(minNs)} to ${formatMs(maxNs)} ms, ` +
    `median ${formatMs(medianNs)} ms`
  );
}

function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Infinity);
}

function greatest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), -Infinity);
}
