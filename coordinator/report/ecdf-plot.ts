import * as Plot from '@observablehq/plot';
import { ecdf } from '../analysis/ecdf.ts';
import { formatMs } from '../analysis/format-ms.ts';
import { groupBy } from '../analysis/measured-result.ts';
import type { CellSummary, RunSummary } from '../analysis/run-summary.ts';
import { lineLegend, seriesLook } from './legend.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { logTicks, plotSvg } from './plot-svg.ts';

/** More steps than this can't be told apart on the page. */
const STEPS_MAX = 500;

/**
 * The distributions of a run: one plot per function and number of sandboxes, one line per kind of
 * sandbox, all on one logarithmic axis. Undefined if nothing was measured.
 */
export function ecdfPlots(summary: RunSummary): Markup | undefined {
  const measured = summary.cells.filter(({ units }) => units.some(({ valueNs }) => valueNs > 0));
  const values = measured.flatMap(({ units }) => units.map(({ valueNs }) => valueNs / 1e6));
  const positive = values.filter((valueMs) => valueMs > 0);
  if (positive.length === 0) return undefined;
  const domain = [least(positive) / 1.15, greatest(positive) * 1.15] as const;
  const sandboxes = [...new Set(summary.cells.map(({ cell }) => cell.sandbox))];
  const groups = groupBy(measured, ({ cell }) => groupTitle(cell.function, cell.instances));
  const legend = sandboxes.map((name, index) => ({ name, look: seriesLook(index) }));
  return html`${lineLegend(legend)}
    <div class="multiples">
      ${[...groups].map(
        ([title, cells]) =>
          html`<figure>
            <h3>${title}</h3>
            ${plotOf({ title, cells, domain, sandboxes, metric: summary.metric })}
          </figure>`,
      )}
    </div>`;
}

function groupTitle(name: string, instances: number): string {
  return instances === 1 ? name : `${name}, ${instances} at once`;
}

interface EcdfSources {
  readonly title: string;
  readonly cells: readonly CellSummary[];
  readonly domain: readonly [number, number];
  readonly sandboxes: readonly string[];
  readonly metric: RunSummary['metric'];
}

function plotOf({ title, cells, domain, sandboxes, metric }: EcdfSources): Markup {
  const lines = cells.map((cell) => {
    const { colour, dash } = seriesLook(sandboxes.indexOf(cell.cell.sandbox));
    return Plot.line(stepsOf(cell, domain[1]), {
      x: 'power',
      y: 'share',
      curve: 'step-after',
      stroke: colour,
      strokeWidth: 2,
      ...(dash === undefined ? {} : { strokeDasharray: dash }),
    });
  });
  const what = metric === 'makespan' ? 'makespan' : 'time to first byte';
  return plotSvg({
    width: 500,
    height: 300,
    marginLeft: 48,
    marginBottom: 42,
    marginRight: 16,
    marginTop: 28,
    x: {
      domain: domain.map(Math.log10),
      label: `${what}, ms (logarithmic)`,
      ticks: logTicks(...domain).map(Math.log10),
      tickFormat: (power: number) => String(Number((10 ** power).toPrecision(1))),
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

/**
 * The steps on a linear axis of powers of ten: a logarithmic axis of the plot library leaves out
 * some labels of the ticks that it is given.
 */
function stepsOf({ units }: CellSummary, endMs: number): { power: number; share: number }[] {
  const steps = ecdf(units.map(({ valueNs }) => valueNs / 1e6)).filter(({ value }) => value > 0);
  const stride = Math.ceil(steps.length / STEPS_MAX);
  const shown = steps
    .filter((_, index) => index % stride === 0 || index === steps.length - 1)
    .map(({ value, share }) => ({ power: Math.log10(value), share }));
  const [first] = shown;
  if (first === undefined) return [];
  return [{ power: first.power, share: 0 }, ...shown, { power: Math.log10(endMs), share: 1 }];
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
