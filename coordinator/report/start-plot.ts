import * as Plot from '@observablehq/plot';
import { formatMs } from '../analysis/format-ms.ts';
import type { StartPoint, StartSummary, TrialStart } from '../analysis/run-summary.ts';
import { pointLegend, pointLook } from './point-legend.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { plotSvg } from './plot-svg.ts';

/** More devices than this are not told apart by colour. */
const DEVICES_TOLD_APART = 6;

/** More marks than this make the page heavy; beyond, the worst of neighbouring trials is shown. */
const MARKS_MAX = 1500;

const AXIS = { labelArrow: 'none', grid: true } as const;
const SIZE = { width: 500, height: 280, marginLeft: 56, marginBottom: 42, marginTop: 28 } as const;
const POSITION_AXIS = {
  label: 'position of the trial in the plan',
  labelAnchor: 'center',
  labelArrow: 'none',
  tickFormat: (position: number) => (Number.isInteger(position) ? String(position) : ''),
  ticks: 6,
} as const;

/** The start of every trial: its spread with its bound, and every device's lateness. */
export function startPlots(start: StartSummary): Markup | undefined {
  const spreads = worstOf(start.trials.filter(hasPosition), ({ spreadNs }) => spreadNs);
  const points = worstOf(start.points.filter(hasPosition), ({ latenessNs }) => latenessNs);
  if (points.length === 0) return undefined;
  return html`<div class="multiples">
    ${
      spreads.length === 0
        ? undefined
        : html`<figure>
            <h3>Spread of the starts of each trial</h3>
            ${spreadPlot(spreads)}
            <figcaption>
              Point: latest minus earliest start in fleet time. Line: plus and minus the sum of the
              two largest clock bounds of the trial; the true spread lies within.
            </figcaption>
          </figure>`
    }
    <figure>
      <h3>Lateness of each start</h3>
      ${latenessPlot(points)}
    </figure>
  </div>`;
}

type Placed<T> = T & { readonly position: number };

function hasPosition<T extends { readonly position?: number }>(value: T): value is Placed<T> {
  return value.position !== undefined;
}

/** All values while they are few; else the largest of each run of neighbours. */
function worstOf<T>(values: readonly T[], sizeOf: (value: T) => number): T[] {
  const stride = Math.ceil(values.length / MARKS_MAX);
  if (stride <= 1) return [...values];
  return Array.from({ length: Math.ceil(values.length / stride) }, (_, bin) =>
    values
      .slice(bin * stride, (bin + 1) * stride)
      .reduce((worst, value) => (sizeOf(value) > sizeOf(worst) ? value : worst)),
  );
}

function spreadPlot(trials: readonly Placed<TrialStart>[]): Markup {
  const shown = trials.map(({ position, spreadNs, boundNs }) => ({
    position,
    spreadMs: spreadNs / 1e6,
    lowerMs: Math.max(0, spreadNs - boundNs) / 1e6,
    upperMs: (spreadNs + boundNs) / 1e6,
  }));
  const worst = Math.max(...trials.map(({ spreadNs }) => spreadNs));
  const colour = 'var(--s1)';
  return plotSvg({
    ...SIZE,
    x: POSITION_AXIS,
    y: { ...AXIS, label: 'start spread, ms', zero: true, nice: true, ticks: 5 },
    marks: [
      Plot.ruleY([0]),
      Plot.ruleX(shown, {
        x: 'position',
        y1: 'lowerMs',
        y2: 'upperMs',
        stroke: colour,
        strokeOpacity: 0.45,
      }),
      Plot.dot(shown, { x: 'position', y: 'spreadMs', fill: colour, r: 2.5 }),
    ],
    ariaLabel: 'Start spread of each trial with its clock bound, ms, by position in the plan',
    ariaDescription: `${trials.length} trials; largest spread ${formatMs(worst)} ms`,
  });
}

function latenessPlot(points: readonly Placed<StartPoint>[]): Markup {
  const deviceIds = [...new Set(points.map(({ deviceId }) => deviceId))].toSorted();
  const isToldApart = deviceIds.length <= DEVICES_TOLD_APART;
  const lookOf = (deviceId: string) => pointLook(isToldApart ? deviceIds.indexOf(deviceId) : 0);
  const worst = Math.max(...points.map(({ latenessNs }) => latenessNs));
  const shown = points.map(({ position, deviceId, latenessNs }) => ({
    position,
    latenessMs: latenessNs / 1e6,
    ...lookOf(deviceId),
  }));
  const svg = plotSvg({
    ...SIZE,
    x: POSITION_AXIS,
    y: { ...AXIS, label: 'lateness, ms', zero: true, nice: true, ticks: 5 },
    color: { type: 'identity' },
    symbol: { type: 'identity' },
    marks: [
      Plot.ruleY([0]),
      Plot.dot(shown, {
        x: 'position',
        y: 'latenessMs',
        stroke: 'colour',
        symbol: 'symbol',
        r: 3,
      }),
    ],
    ariaLabel: 'Lateness of each start, ms, by position in the plan',
    ariaDescription:
      `${points.length} starts on ${deviceIds.length} devices; ` +
      `largest lateness ${formatMs(worst)} ms`,
  });
  if (!isToldApart) return svg;
  const legend = deviceIds.map((name) => ({ name, look: lookOf(name) }));
  return html`${svg}${pointLegend(legend)}`;
}
