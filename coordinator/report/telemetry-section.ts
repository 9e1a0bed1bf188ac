import * as Plot from '@observablehq/plot';
import { groupBy } from '../analysis/measured-result.ts';
import type { Phase } from '../../schemas/result.ts';
import { PANELS_MAX } from './cell-names.ts';
import { figureGroup } from './figure.ts';
import { lineLegend, seriesLook } from './legend.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { plotSvg } from './plot-svg.ts';
import { printable } from './printable.ts';
import { displaySeries, FIRST_METRICS } from './series-display.ts';
import type { DisplayedSeries, TelemetrySeries } from './series-display.ts';
import { thinned } from './thinning.ts';

/** What was sampled around one trial on one device, for the page. */
export interface TrialTelemetry {
  /** Why it is shown: the trial nearest the median of its cell, or the slowest. */
  readonly role: 'median' | 'worst';
  readonly trialId: string;
  readonly deviceId: string;
  readonly cellId: string;
  /** When each phase was reached, ms after the request. A phase not seen is absent. */
  readonly phases: Readonly<Partial<Record<Phase, number>>>;
  readonly series: readonly TelemetrySeries[];
}

/** More points of a line than this can't be told apart in a panel. */
const POINTS_MAX = 300;

/** Phases that are marked; more would hide the lines. */
const MARKED_PHASES: readonly Phase[] = ['request', 'appMain', 'firstByte', 'teardownBegin'];

const LOOKS = { median: seriesLook(0), worst: seriesLook(1) } as const;

/**
 * Time series around the median and the worst trial of each cell, on one axis per series: first
 * what tells most, then others in a part that can be opened.
 */
export function telemetrySection(telemetry: readonly TrialTelemetry[]): Markup {
  const cells = [...groupBy(telemetry, ({ cellId }) => cellId).entries()];
  const panels = cells.flatMap(([cellId, trials]) => panelsOf(cellId, trials));
  const { first, others, left } = chosenPanels(panels);
  return html`<section aria-labelledby="telemetry">
    <h2 id="telemetry">Around the median and the worst trial</h2>
    ${
      first.length === 0
        ? html`<p>No samples were recorded with this run.</p>`
        : html`<ul class="quiet">
              ${telemetry.map(
                ({ role, trialId, deviceId, cellId }) =>
                  html`<li>${cellId}, ${role}: ${trialId} on ${deviceId}</li>`,
              )}
            </ul>
            ${figureGroup(first.map(drawn), {
              legend: lineLegend([
                { name: 'median trial', look: LOOKS.median },
                { name: 'worst trial', look: LOOKS.worst },
              ]),
              caption: captionOf(others.length === 0 ? left : 0),
              isSmall: true,
            })}
            ${others.length === 0 ? undefined : otherPanels(others, left)}`
    }
  </section>`;
}

function otherPanels(others: readonly Panel[], left: number): Markup {
  return html`<details>
    <summary>${others.length} more series around the same trials</summary>
    ${figureGroup(others.map(drawn), { caption: captionOf(left), isSmall: true })}
  </details>`;
}

function captionOf(left: number): string {
  return (
    'Samples over the time since the request, ms; of what only grows, the rate between two ' +
    'readings. Upright lines, solid for the median trial and dashed for the worst: ' +
    `${MARKED_PHASES.join(', ')}, in this order. Of dense samples the extremes are drawn.` +
    (left > 0 ? ` ${left} more series are in samples.parquet.` : '')
  );
}

interface Panel {
  readonly metric: string;
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

interface Line {
  readonly trial: TrialTelemetry;
  readonly shown: DisplayedSeries;
}

function panelsOf(cellId: string, trials: readonly TrialTelemetry[]): Panel[] {
  const lines = trials.flatMap((trial) => trial.series.map((series) => ({ trial, series })));
  const groups = groupBy(lines, ({ series }) =>
    JSON.stringify([
      ...[series.source, series.metric, series.instance, series.unit],
      Object.entries(series.attributes ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ]),
  );
  return [...groups.values()].flatMap((own) => {
    const [first] = own;
    const shown = own.map(({ trial, series }) => ({ trial, shown: displaySeries(series) }));
    const isEmpty = shown.every((line) => line.shown.points.every(({ value }) => isNaN(value)));
    if (first === undefined || isEmpty) return [];
    const { title, unit } = displaySeries(first.series);
    const { metric } = first.series;
    return [
      { metric, title: printable(`${cellId}: ${title}`), unit: printable(unit), lines: shown },
    ];
  });
}

/** Panels of one cell and metric that are shown at first: those of the highest values. */
const SERIES_OF_METRIC_MAX = 2;

/** Which panels are shown at first, which can be opened, and how many are not on the page. */
function chosenPanels(panels: readonly Panel[]): {
  first: readonly Panel[];
  others: readonly Panel[];
  left: number;
} {
  const telling = panels.filter((panel) => rankOf(panel) >= 0 && peakOf(panel) > 0);
  const kinds = groupBy(
    telling,
    (panel) => `${panel.lines[0]?.trial.cellId ?? ''}\n${panel.metric}`,
  );
  const best = [...kinds.values()].flatMap((own) =>
    own.toSorted((a, b) => peakOf(b) - peakOf(a)).slice(0, SERIES_OF_METRIC_MAX),
  );
  // Of metrics that are not known here none is better than another.
  const wanted = new Set(best.length === 0 ? panels : best);
  const first = panels
    .filter((panel) => wanted.has(panel))
    .toSorted((a, b) => cellOrder(panels, a, b) || rankOf(a) - rankOf(b))
    .slice(0, PANELS_MAX);
  const rest = panels.filter((panel) => !first.includes(panel));
  const others = best.length === 0 ? [] : rest.slice(0, PANELS_MAX);
  return { first, others, left: rest.length - others.length };
}

function cellOrder(panels: readonly Panel[], a: Panel, b: Panel): number {
  const placeOf = ({ lines }: Panel): number =>
    panels.findIndex((panel) => panel.lines[0]?.trial.cellId === lines[0]?.trial.cellId);
  return placeOf(a) - placeOf(b);
}

function rankOf({ metric }: Panel): number {
  return FIRST_METRICS.indexOf(metric);
}

function peakOf({ lines }: Panel): number {
  return lines.reduce((most, { shown }) => Math.max(most, rangeOf(shown.points)[1]), 0);
}

function drawn({ title, unit, lines }: Panel) {
  return { title, svg: drawPanel(title, unit, lines) };
}

function drawPanel(title: string, unit: string, lines: readonly Line[]): Markup {
  // A rate has a meaningful nought, and of a steady one only noise would be seen without it.
  const isRate = lines.some(({ shown }) => shown.isRate);
  const marks = lines.flatMap(({ trial, shown }) => {
    const { colour, dash } = LOOKS[trial.role];
    const dashes = dash === undefined ? {} : { strokeDasharray: dash };
    const phases = MARKED_PHASES.flatMap((phase) => trial.phases[phase] ?? []);
    return [
      Plot.ruleX(phases, { stroke: colour, strokeOpacity: 0.45, ...dashes }),
      Plot.line(withGaps(shown.points), {
        x: 'sinceRequestMs',
        y: 'value',
        stroke: colour,
        strokeWidth: 1.8,
        ...dashes,
      }),
    ];
  });
  return plotSvg({
    width: 340,
    height: 200,
    marginLeft: 56,
    marginRight: 12,
    marginBottom: 40,
    marginTop: 24,
    x: { label: 'ms since the request', labelAnchor: 'center', labelArrow: 'none', ticks: 5 },
    y: {
      label: unit,
      labelArrow: 'none',
      ticks: 4,
      grid: true,
      tickFormat: short,
      nice: true,
      zero: isRate,
    },
    marks,
    ariaLabel: `${title}, ${unit}, over the time since the request`,
    ariaDescription: lines.map(({ trial, shown }) => describe(trial, shown)).join('; '),
  });
}

const SHORT_NUMBER = new Intl.NumberFormat('en', {
  notation: 'compact',
  maximumSignificantDigits: 3,
});

/** A number for an axis: 1.5K, 20M, 0.25. */
function short(value: number): string {
  return SHORT_NUMBER.format(value);
}

function describe({ role, trialId }: TrialTelemetry, { points, unit }: DisplayedSeries): string {
  const known = points.filter(({ value }) => !isNaN(value));
  const [least, most] = rangeOf(points).map((value) => Number(value.toPrecision(4)));
  const range = known.length === 0 ? 'no samples' : `${least} to ${most} ${printable(unit)}`;
  return `${role} trial ${trialId}: ${known.length} samples, ${range}`;
}

/** The least and the largest value; gaps have none. */
function rangeOf(points: DisplayedSeries['points']): [least: number, most: number] {
  let least = Infinity;
  let most = -Infinity;
  for (const { value } of points) {
    if (isNaN(value)) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return [least, most];
}

/** The points between two gaps, thinned by themselves, so that a gap is still one. */
function withGaps(points: DisplayedSeries['points']): DisplayedSeries['points'] {
  const pieces: { sinceRequestMs: number; value: number }[][] = [[]];
  for (const point of points) {
    if (isNaN(point.value)) pieces.push([point], []);
    else pieces.at(-1)?.push(point);
  }
  return pieces.flatMap((piece) => {
    const most = Math.ceil((POINTS_MAX * piece.length) / points.length);
    return thinned(piece, Math.max(2, most), ({ value }) => value);
  });
}
