import * as Plot from '@observablehq/plot';
import { formatMs } from '../analysis/format-ms.ts';
import type { StartSummary, TrialStart } from '../analysis/run-summary.ts';
import { figureMarkup } from './figure.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { plotSvg } from './plot-svg.ts';
import { POSITION_AXIS } from './position-axis.ts';
import { syncMap } from './sync-map.ts';

/** More marks than this make the page heavy; beyond, the worst of neighbouring trials is shown. */
const MARKS_MAX = 1500;

const AXIS = { labelArrow: 'none', grid: true } as const;
const SIZE = { width: 500, height: 280, marginLeft: 56, marginBottom: 42, marginTop: 28 } as const;
/** The start of every trial: its spread with its bound, and every device's lateness. */
export function startPlots(start: StartSummary): Markup {
  const placed = start.trials.filter(hasPosition);
  const spreads = worstOf(placed, ({ spreadNs }) => spreadNs);
  return html`${
    spreads.length === 0
      ? undefined
      : figureMarkup({
          title: `Spread of the starts of each ${start.waves > 1 ? 'wave' : 'trial'}`,
          svg: spreadPlot(spreads),
          caption:
            'Point: latest minus earliest start in fleet time' +
            (start.waves > 1 ? ', a point for each wave of a trial' : '') +
            '. Line: plus and minus the sum of the two largest clock bounds; the true spread ' +
            'lies within.' +
            (spreads.length < placed.length
              ? ` Of ${placed.length}, the widest of neighbours are shown.`
              : ''),
        })
  }
  ${syncMap(start.points.filter(hasPosition), start.pointsSeen)}`;
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
  const worst = trials.reduce((most, { spreadNs }) => Math.max(most, spreadNs), 0);
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
