import * as Plot from '@observablehq/plot';
import { durationStatistics } from '../analysis/duration-statistics.ts';
import { formatMs } from '../analysis/format-ms.ts';
import { groupBy } from '../analysis/measured-result.ts';
import { median } from '../analysis/quantile.ts';
import type { DurationStatistics, HostSummary, RunSummary } from '../analysis/run-summary.ts';
import { PANELS_MAX, ROWS_MAX, rowTitle, sandboxesOf } from './cell-names.ts';
import { coverageText } from './coverage-text.ts';
import { figureGroup } from './figure.ts';
import type { Markup } from './markup.ts';
import { plotSvg } from './plot-svg.ts';
import { pointLegend, pointLook } from './point-legend.ts';
import { valueAxis, valueScale } from './value-axis.ts';
import type { ValueAxis } from './value-axis.ts';

/** A title longer than this would be wider than its panel. */
const NAMES_MAX = 3;

/** One cell on one host. */
interface CellOnHost {
  readonly row: string;
  readonly sandbox: string;
  readonly latency: DurationStatistics;
}

/** One host with all of its cells. */
interface HostPanel {
  readonly host: HostSummary;
  readonly cells: readonly CellOnHost[];
  /** Median over its cells of the host's median divided by the fleet's. */
  readonly factor: number;
}

/**
 * A small plot per host on one axis: the median of each cell, its interval and its range. Of many
 * hosts the fastest and the slowest are drawn, and the rest is told in words. Undefined with fewer
 * than two hosts.
 */
export function devicePanels(summary: RunSummary): Markup | undefined {
  const axis = valueAxis(summary);
  const panels = panelsOf(summary).toSorted((a, b) => a.factor - b.factor);
  if (axis === undefined || panels.length < 2) return undefined;
  const half = PANELS_MAX / 2;
  const isMany = panels.length > PANELS_MAX;
  const shown = isMany ? [...panels.slice(0, half), ...panels.slice(-half)] : panels;
  const rest = isMany ? panels.slice(half, -half) : [];
  const sandboxes = sandboxesOf(summary);
  const figures = shown.map((panel) => ({
    title: titleOf(panel),
    svg: drawPanel(panel, axis, { metric: summary.metric, sandboxes }),
  }));
  const looks = sandboxes.map((name, index) => ({ name, look: pointLook(index) }));
  return figureGroup(figures, {
    legend: pointLegend(looks),
    caption: captionOf(shown, rest, summary),
    isSmall: true,
  });
}

function captionOf(
  shown: readonly HostPanel[],
  rest: readonly HostPanel[],
  { cells, coverage }: RunSummary,
): string {
  return [
    `Symbol: median on this host. Thick line: its ${coverageText(coverage)} interval. Thin line: ` +
      "all values. The factor is the median over the cells of the host's median divided by the " +
      "fleet's.",
    'The fastest host comes first.',
    ...(rest.length > 0
      ? [
          `The ${shown.length / 2} fastest and the ${shown.length / 2} slowest hosts are drawn; ` +
            `the other ${rest.length} lie between ${factorText(rest[0])} and ` +
            `${factorText(rest.at(-1))} times the fleet.`,
        ]
      : []),
    ...(cells.length > ROWS_MAX ? [`Each shows ${ROWS_MAX} cells of ${cells.length}.`] : []),
  ].join(' ');
}

function panelsOf({ cells, hosts, coverage }: RunSummary): HostPanel[] {
  const byHost = new Map(hosts.map((host) => [host.host, { host, cells: [] as CellOnHost[] }]));
  const factors = new Map<string, number[]>();
  for (const cell of cells) {
    for (const [host, units] of groupBy(cell.units, (unit) => unit.host)) {
      const latency = durationStatistics(
        units.map(({ valueNs }) => valueNs),
        coverage,
      );
      const fleetNs = cell.latency?.medianNs;
      if (latency === undefined || fleetNs === undefined) continue;
      byHost.get(host)?.cells.push({ row: rowTitle(cell), sandbox: cell.cell.sandbox, latency });
      const own = factors.get(host) ?? [];
      if (fleetNs > 0) own.push(latency.medianNs / fleetNs);
      factors.set(host, own);
    }
  }
  return [...byHost.values()]
    .filter((panel) => panel.cells.length > 0)
    .map((panel) => ({ ...panel, factor: median(factors.get(panel.host.host) ?? []) ?? 1 }));
}

function titleOf({ host, factor }: HostPanel): string {
  const { deviceIds } = host;
  const names = deviceIds.slice(0, NAMES_MAX).join(', ');
  const more = deviceIds.length > NAMES_MAX ? ` and ${deviceIds.length - NAMES_MAX} more` : '';
  return `${host.host} (${names}${more}): × ${factor.toFixed(2)}`;
}

function factorText(panel: HostPanel | undefined): string {
  return panel === undefined ? 'unknown' : panel.factor.toFixed(2);
}

function drawPanel(
  panel: HostPanel,
  axis: ValueAxis,
  { metric, sandboxes }: Pick<RunSummary, 'metric'> & { readonly sandboxes: readonly string[] },
): Markup {
  const { placeOf, domain, isLogarithmic } = axis;
  const place = (valueNs: number): number =>
    placeOf(Math.min(domain[1], Math.max(domain[0], valueNs / 1e6)));
  const rows = panel.cells.slice(0, ROWS_MAX).map(({ row, sandbox, latency }) => ({
    row,
    ...pointLook(sandboxes.indexOf(sandbox)),
    least: place(latency.minNs),
    most: place(latency.maxNs),
    median: place(latency.medianNs),
    lower: place(latency.medianInterval?.lower ?? latency.medianNs),
    upper: place(latency.medianInterval?.upper ?? latency.medianNs),
  }));
  const longest = rows.reduce((length, { row }) => Math.max(length, row.length), 0);
  const scale = valueScale(axis, metric, 4);
  return plotSvg({
    width: 340,
    height: 48 + 18 * rows.length,
    marginLeft: Math.min(170, 12 + 6.6 * longest),
    marginRight: 14,
    marginBottom: 36,
    marginTop: 4,
    x: { ...scale, label: isLogarithmic ? 'ms (logarithmic)' : 'ms' },
    y: { domain: rows.map(({ row }) => row), label: null, tickSize: 0 },
    color: { type: 'identity' },
    symbol: { type: 'identity' },
    marks: [
      Plot.ruleY(rows, { y: 'row', x1: 'least', x2: 'most', stroke: 'colour', strokeWidth: 1 }),
      Plot.ruleY(rows, { y: 'row', x1: 'lower', x2: 'upper', stroke: 'colour', strokeWidth: 4 }),
      Plot.dot(rows, {
        x: 'median',
        y: 'row',
        stroke: 'colour',
        fill: 'var(--page)',
        symbol: 'symbol',
        r: 3.5,
      }),
    ],
    ariaLabel: `Median of each cell on ${titleOf(panel)}`,
    ariaDescription: panel.cells
      .map(({ row, latency }) => `${row}: ${formatMs(latency.medianNs)} ms (n = ${latency.n})`)
      .join('; '),
  });
}
