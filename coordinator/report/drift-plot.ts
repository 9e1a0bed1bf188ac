import * as Plot from '@observablehq/plot';
import { groupBy } from '../analysis/measured-result.ts';
import { counted } from '../analysis/note.ts';
import { median, quantile } from '../analysis/quantile.ts';
import type { CellSummary, RunSummary } from '../analysis/run-summary.ts';
import type { Plan } from '../../schemas/plan.ts';
import { PANELS_MAX, rowTitle, sandboxesOf } from './cell-names.ts';
import { figureGroup } from './figure.ts';
import type { Markup } from './markup.ts';
import { plotSvg } from './plot-svg.ts';
import { pointLegend, pointLook } from './point-legend.ts';
import { POSITION_AXIS } from './position-axis.ts';
import { thinned } from './thinning.ts';

/** More points than this in all panels together make the page heavy. */
const POINTS_MAX = 3000;

/** Block edges closer than this would hide the points. */
const EDGES_MAX = 24;

/** Points in a bin of the line, at least; and how many bins. */
const BIN_SIZE_MIN = 5;
const BINS_MIN = 3;
const BINS_MAX = 16;

/** A value this many times beyond nearly all others goes to the edge. */
const REACH_FACTOR = 1.5;

/** A value over the course of the run, as distance from the median of its cell. */
interface Point {
  readonly position: number;
  /** Percent of the median; of a no-op ms. */
  readonly distance: number;
}

/**
 * The values of each cell over the course of the run, as distance from its median, with the edges
 * of the blocks: a drift or an order effect shows as a slope. Undefined if nothing was measured.
 */
export function driftPlots(summary: RunSummary, plan: Plan): Markup | undefined {
  const isMs = summary.metric === 'lateness';
  const measured = summary.cells
    .map((cell) => ({ cell, points: pointsOf(cell, isMs) }))
    .filter(({ points }) => points.length > 1);
  const shown = measured.slice(0, PANELS_MAX);
  if (shown.length === 0) return undefined;
  const pointsMax = Math.floor(POINTS_MAX / shown.length);
  const distances = shown.flatMap(({ points }) =>
    thinned(points, 20_000, ({ distance }) => distance).map(({ distance }) => Math.abs(distance)),
  );
  const limit = limitOf(distances);
  const beyond = distances.filter((distance) => distance > limit).length;
  const edges = blockEdges(plan);
  const sandboxes = sandboxesOf(summary);
  const frame = {
    limit,
    edges: edges.shown,
    last: Math.max(1, plan.trials.length - 1),
    unit: isMs ? 'ms' : '%',
  };
  const figures = shown.map(({ cell, points }) => ({
    title: rowTitle(cell),
    svg: drawPanel(cell, points, { ...frame, pointsMax, sandboxes }),
  }));
  const caption = [
    `Distance from the median of the cell${isMs ? ', ms' : ', percent of it'}. Line: medians of ` +
      'neighbours, where there are enough of them.',
    ...(edges.shown.length === 0
      ? []
      : edges.stride === 1
        ? ['Upright lines: where a block of the plan begins.']
        : [`Upright lines: every ${edges.stride} blocks of the plan.`]),
    ...(beyond > 0
      ? [
          `${counted(beyond, 'value')} beyond the edge, ${formatted(limit)} ${frame.unit}, ` +
            'drawn on it.',
        ]
      : []),
    ...(shown.some(({ points }) => points.length > pointsMax)
      ? [`Of neighbours only the extremes are drawn, about ${pointsMax} points in each.`]
      : []),
    ...(measured.length > shown.length
      ? [`The first ${shown.length} of ${measured.length} cells are drawn.`]
      : []),
  ].join(' ');
  const looks = sandboxes.map((name, index) => ({ name, look: pointLook(index) }));
  return figureGroup(figures, { legend: pointLegend(looks), caption, isSmall: true });
}

function pointsOf({ units, latency }: CellSummary, isMs: boolean): Point[] {
  const medianNs = latency?.medianNs;
  if (medianNs === undefined || (!isMs && medianNs <= 0)) return [];
  return units
    .flatMap(({ position, valueNs }): Point[] => {
      if (position === undefined) return [];
      const apartNs = valueNs - medianNs;
      return [{ position, distance: isMs ? apartNs / 1e6 : (100 * apartNs) / medianNs }];
    })
    .toSorted((a, b) => a.position - b.position);
}

function formatted(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2);
}

/** What nearly all points need; all of it where no point lies far out. */
function limitOf(distances: readonly number[]): number {
  const common = REACH_FACTOR * (quantile(distances, 0.98) ?? 0);
  const farthest = quantile(distances, 1) ?? 0;
  return Math.min(farthest, common) || farthest || 1;
}

function blockEdges({ trials }: Plan): { shown: number[]; stride: number } {
  const edges = trials
    .filter(({ repetition }, index) => index > 0 && repetition !== trials[index - 1]?.repetition)
    .map(({ position }) => position - 0.5);
  const stride = Math.max(1, Math.ceil(edges.length / EDGES_MAX));
  return { shown: edges.filter((_, index) => index % stride === 0), stride };
}

interface Frame {
  readonly limit: number;
  readonly edges: readonly number[];
  readonly last: number;
  readonly unit: string;
  readonly pointsMax: number;
  readonly sandboxes: readonly string[];
}

function drawPanel(cell: CellSummary, points: readonly Point[], frame: Frame): Markup {
  const { limit, unit } = frame;
  const { colour, symbol } = pointLook(frame.sandboxes.indexOf(cell.cell.sandbox));
  const shown = thinned(points, frame.pointsMax, ({ distance }) => distance).map((point) => ({
    ...point,
    distance: Math.max(-limit, Math.min(limit, point.distance)),
  }));
  const line = lineOf(points);
  return plotSvg({
    width: 340,
    height: 200,
    marginLeft: 52,
    marginRight: 10,
    marginBottom: 40,
    marginTop: 24,
    x: { ...POSITION_AXIS, domain: [0, frame.last], ticks: 4 },
    y: {
      domain: [-1.06 * limit, 1.06 * limit],
      label: unit,
      labelArrow: 'none',
      ticks: 5,
      grid: true,
    },
    marks: [
      Plot.ruleX(frame.edges, { stroke: 'var(--line)' }),
      Plot.ruleY([0]),
      Plot.dot(shown, { x: 'position', y: 'distance', stroke: colour, symbol, r: 2.2 }),
      Plot.line(line, { x: 'position', y: 'distance', stroke: 'var(--text)', strokeWidth: 1.5 }),
    ],
    ariaLabel: `Values over the course of the run, as distance from the median: ${rowTitle(cell)}`,
    ariaDescription:
      `${points.length} values; medians of neighbours in order, ${unit}: ` +
      line.map(({ distance }) => distance.toFixed(1)).join(', '),
  });
}

/** The median of each run of neighbours. Empty if there are too few for a course. */
function lineOf(points: readonly Point[]): Point[] {
  const bins = Math.min(BINS_MAX, Math.floor(points.length / BIN_SIZE_MIN));
  if (bins < BINS_MIN) return [];
  const size = Math.ceil(points.length / bins);
  const numbered = points.map((point, index) => ({ point, bin: Math.floor(index / size) }));
  return [...groupBy(numbered, ({ bin }) => String(bin)).values()].map((neighbours) => ({
    position: median(neighbours.map(({ point }) => point.position)) ?? 0,
    distance: median(neighbours.map(({ point }) => point.distance)) ?? 0,
  }));
}
