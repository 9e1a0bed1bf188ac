import * as Plot from '@observablehq/plot';
import { formatMs } from '../analysis/format-ms.ts';
import { groupBy } from '../analysis/measured-result.ts';
import type { CellSummary, RunSummary } from '../analysis/run-summary.ts';
import { meanInterval } from '../analysis/mean-interval.ts';
import type { MeanInterval } from '../analysis/mean-interval.ts';
import { sandboxesOf } from './cell-names.ts';
import { figureMarkup } from './figure.ts';
import { areaLegend, lineLegend, seriesLook } from './legend.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { METRIC_TEXTS } from './metric-texts.ts';
import { plotSvg } from './plot-svg.ts';

/** More bars or lines than this are no figure of the study's kind. */
const CELLS_MAX = 120;

const SIZE = { height: 300, marginLeft: 60, marginBottom: 42, marginRight: 16, marginTop: 24 };

interface Mean extends MeanInterval {
  readonly summary: CellSummary;
  readonly sandbox: string;
}

/**
 * The run in the form of the study (arXiv 2403.00515): bars of means by sandbox for one instance,
 * lines of means over the number of instances for more, with percentile bootstrap intervals.
 * Undefined for a no-op, which the study has none of, and without values.
 */
export function studyForm(summary: RunSummary): Markup | undefined {
  if (summary.metric === 'lateness' || summary.cells.length > CELLS_MAX) return undefined;
  const means = summary.cells.flatMap((cell): Mean[] => {
    const values = Float64Array.from(cell.units, ({ valueNs }) => valueNs / 1e6);
    const mean = meanInterval(values, 1);
    return mean === undefined ? [] : [{ ...mean, summary: cell, sandbox: cell.cell.sandbox }];
  });
  if (means.length === 0) return undefined;
  const counts = new Set(means.map((mean) => mean.summary.cell.instances));
  const isOverCounts = counts.size > 1;
  const sandboxes = sandboxesOf(summary);
  const groups = [...groupBy(means, (mean) => mean.summary.cell.function).entries()];
  const drawn = groups.map(([name, own]) => ({
    title: `${name}, means`,
    svg: isOverCounts
      ? linesOf(own, sandboxes, summary.metric)
      : barsOf(own, sandboxes, summary.metric),
  }));
  const looks = sandboxes.map((name, index) => ({ name, ...seriesLook(index) }));
  const legend = isOverCounts
    ? lineLegend(looks.map((look) => ({ name: look.name, look })))
    : areaLegend(looks);
  return html`<details>
    <summary>The figures in the form of the study</summary>
    <div class="figures">
      ${legend}
      <div class="multiples">${drawn.map(figureMarkup)}</div>
      <p class="quiet">${captionOf(summary.metric)}</p>
    </div>
  </details>`;
}

function captionOf(metric: RunSummary['metric']): string {
  return (
    'In the form of the study (arXiv 2403.00515): mean with a percentile bootstrap interval, ' +
    '95 %, for a comparison by eye only. A mean hides two modes and follows single stragglers; ' +
    'prefer the figures above.' +
    (metric === 'makespan'
      ? ' The study drew the mean latency of the requests of one batch; here it is the mean ' +
        'makespan over all batches.'
      : '')
  );
}

function textsOf(means: readonly Mean[], metric: RunSummary['metric']) {
  const name = METRIC_TEXTS[metric].name;
  const [first] = means;
  return {
    ariaLabel: `Mean ${name} with bootstrap interval, ${first?.summary.cell.function ?? ''}`,
    ariaDescription: means
      .map(({ sandbox, summary, mean, lower, upper }) => {
        const within = [lower, upper].map((end) => formatMs((end ?? mean) * 1e6)).join(' to ');
        const count = summary.cell.instances === 1 ? '' : ` × ${summary.cell.instances}`;
        return `${sandbox}${count}: ${formatMs(mean * 1e6)} ms (${within})`;
      })
      .join('; '),
  };
}

function valueScaleOf(metric: RunSummary['metric']) {
  return {
    label: `mean ${METRIC_TEXTS[metric].name}, ms`,
    labelArrow: 'none',
    zero: true,
    nice: true,
    grid: true,
    ticks: 6,
  } as const;
}

function barsOf(
  means: readonly Mean[],
  sandboxes: readonly string[],
  metric: RunSummary['metric'],
): Markup {
  const bars = means.map((one) => ({
    ...one,
    colour: seriesLook(sandboxes.indexOf(one.sandbox)).colour,
  }));
  return plotSvg({
    ...SIZE,
    width: 500,
    x: { domain: sandboxes, label: null, tickSize: 0 },
    y: valueScaleOf(metric),
    color: { type: 'identity' },
    marks: [
      Plot.barY(bars, { x: 'sandbox', y: 'mean', fill: 'colour', insetLeft: 12, insetRight: 12 }),
      Plot.ruleX(
        bars.filter(({ lower }) => lower !== undefined),
        { x: 'sandbox', y1: 'lower', y2: 'upper', stroke: 'var(--text)', strokeWidth: 2.5 },
      ),
      Plot.ruleY([0]),
    ],
    ...textsOf(means, metric),
  });
}

function linesOf(
  means: readonly Mean[],
  sandboxes: readonly string[],
  metric: RunSummary['metric'],
): Markup {
  const marks = [...groupBy(means, ({ sandbox }) => sandbox)].flatMap(([sandbox, own]) => {
    const { colour, dash } = seriesLook(sandboxes.indexOf(sandbox));
    const points = own
      .map(({ summary, mean, lower, upper }) => ({
        count: summary.cell.instances,
        mean,
        lower: lower ?? mean,
        upper: upper ?? mean,
      }))
      .toSorted((a, b) => a.count - b.count);
    return [
      Plot.areaY(points, {
        x: 'count',
        y1: 'lower',
        y2: 'upper',
        fill: colour,
        fillOpacity: 0.15,
      }),
      Plot.line(points, {
        x: 'count',
        y: 'mean',
        stroke: colour,
        strokeWidth: 2,
        ...(dash === undefined ? {} : { strokeDasharray: dash }),
      }),
      Plot.dot(points, { x: 'count', y: 'mean', fill: colour, r: 3 }),
    ];
  });
  const counts = [...new Set(means.map(({ summary }) => summary.cell.instances))];
  return plotSvg({
    ...SIZE,
    width: 500,
    x: {
      label: 'instances at once',
      labelAnchor: 'center',
      labelArrow: 'none',
      ...(counts.length <= 10 ? { ticks: counts } : {}),
      tickFormat: (count: number) => String(count),
    },
    y: valueScaleOf(metric),
    marks: [...marks, Plot.ruleY([0])],
    ...textsOf(means, metric),
  });
}
