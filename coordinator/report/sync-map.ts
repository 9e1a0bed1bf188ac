import * as Plot from '@observablehq/plot';
import { formatMs } from '../analysis/format-ms.ts';
import { POSITION_AXIS } from './position-axis.ts';
import { pointLegend, pointLook } from './point-legend.ts';
import { figureMarkup } from './figure.ts';
import type { Markup } from './markup.ts';
import { plotSvg } from './plot-svg.ts';
import { syncLimitNs, syncRows } from './sync-rows.ts';
import type { PlacedStart, SyncMark, SyncRow } from './sync-rows.ts';

/** A longer id is cut; the whole stands in the environment. */
const TITLE_MAX = 22;

const MARGIN = { marginLeft: 56, marginBottom: 42, marginTop: 26 } as const;

/** Shape and colour differ, so that neither is needed alone. */
const LOOKS = {
  known: { name: 'lateness in fleet time, with the clock bound', look: pointLook(0) },
  unknown: {
    name: "no estimate of the clock: lateness on the device's own clock, without a bound",
    look: pointLook(1),
  },
  beyond: { name: 'beyond the edge', look: pointLook(5) },
} as const;

interface ShownMark {
  readonly row: number;
  readonly position: number;
  readonly kind: keyof typeof LOOKS;
  readonly latenessMs: number;
}

interface ShownBound {
  readonly row: number;
  readonly position: number;
  readonly lowerMs: number;
  readonly upperMs: number;
}

/**
 * The sync map of a run: when each device started each trial, as the distance from the ordered
 * instant in fleet time, with the clock bound as error bar. A row per device, or per neighbours in
 * a large fleet. Undefined if nothing started.
 *
 * @param pointsSeen how many starts there were, where the points are the worst of them
 */
export function syncMap(
  points: readonly PlacedStart[],
  pointsSeen = points.length,
): Markup | undefined {
  const rows = syncRows(points);
  if (rows.length === 0) return undefined;
  const marks = rows.flatMap((row) => row.marks);
  const limitNs = syncLimitNs(marks);
  const shown = rows.flatMap((row, index) => row.marks.map((mark) => show(mark, index, limitNs)));
  const kinds = (['known', 'unknown', 'beyond'] as const).filter((kind) =>
    shown.some((mark) => mark.kind === kind),
  );
  return figureMarkup({
    title: 'Sync map: lateness of each start, by device and trial',
    svg: mapPlot(rows, shown, limitNs),
    legend: pointLegend(kinds.map((kind) => LOOKS[kind])),
    caption: captionOf(points, rows, { limitNs, pointsSeen }),
    isWide: true,
  });
}

function show(
  { position, latenessNs, boundNs }: SyncMark,
  row: number,
  limitNs: number,
): ShownMark {
  const isBeyond = Math.abs(latenessNs) > limitNs;
  const latenessMs = (isBeyond ? Math.sign(latenessNs) * limitNs : latenessNs) / 1e6;
  const kind = isBeyond ? 'beyond' : boundNs === undefined ? 'unknown' : 'known';
  return { row, position, kind, latenessMs };
}

function boundsOf(rows: readonly SyncRow[], limitNs: number): ShownBound[] {
  return rows.flatMap(({ marks }, row) =>
    marks.flatMap(({ position, latenessNs, boundNs }): ShownBound[] => {
      if (boundNs === undefined || Math.abs(latenessNs) > limitNs) return [];
      const lowerMs = Math.max(-limitNs, latenessNs - boundNs) / 1e6;
      const upperMs = Math.min(limitNs, latenessNs + boundNs) / 1e6;
      return [{ row, position, lowerMs, upperMs }];
    }),
  );
}

function mapPlot(rows: readonly SyncRow[], shown: readonly ShownMark[], limitNs: number): Markup {
  const bounds = boundsOf(rows, limitNs);
  const ends = [
    ...shown.map(({ latenessMs }) => latenessMs),
    ...bounds.flatMap(({ lowerMs, upperMs }) => [lowerMs, upperMs]),
  ];
  const titles = rows.map(titleOf);
  const longest = titles.reduce((length, title) => Math.max(length, title.length), 0);
  const rowHeight = rows.length <= 3 ? 120 : rows.length <= 8 ? 72 : 44;
  const size = rows.length <= 8 ? 2.5 : 2;
  const dots = shown.map((mark) => {
    const { colour, symbol } = LOOKS[mark.kind].look;
    return { ...mark, colour, symbol, size: mark.kind === 'beyond' ? 2 * size : size };
  });
  return plotSvg({
    ...MARGIN,
    width: 1040,
    height: MARGIN.marginTop + MARGIN.marginBottom + rowHeight * rows.length,
    marginRight: 16 + 7 * longest,
    x: POSITION_AXIS,
    y: {
      label: 'lateness, ms',
      labelArrow: 'none',
      domain: [Math.min(0, ...ends), Math.max(0, ...ends)],
      grid: true,
      ticks: rows.length <= 3 ? 5 : rows.length <= 8 ? 3 : 2,
    },
    fy: {
      domain: rows.map((_, index) => index),
      tickFormat: (index: number) => titles[index] ?? '',
      label: null,
      padding: 0.12,
    },
    color: { type: 'identity' },
    symbol: { type: 'identity' },
    r: { type: 'identity' },
    marks: [
      // A start at the edge of its row must not look like one of the row beside it.
      Plot.frame({ stroke: 'var(--line)' }),
      Plot.ruleY([0]),
      Plot.ruleX(bounds, {
        fy: 'row',
        x: 'position',
        y1: 'lowerMs',
        y2: 'upperMs',
        stroke: LOOKS.known.look.colour,
        strokeOpacity: 0.6,
      }),
      Plot.dot(dots, {
        fy: 'row',
        x: 'position',
        y: 'latenessMs',
        stroke: 'colour',
        symbol: 'symbol',
        r: 'size',
      }),
    ],
    ariaLabel:
      'Sync map: lateness of each start in fleet time with its clock bound, ms, by device and ' +
      'position in the plan',
    ariaDescription: descriptionOf(rows),
  });
}

function titleOf({ deviceIds }: SyncRow): string {
  const [first = '', ...others] = deviceIds;
  if (others.length === 0) return cut(first, TITLE_MAX);
  const half = TITLE_MAX / 2;
  return `${cut(first, half)} to ${cut(others.at(-1) ?? '', half)}`;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function descriptionOf(rows: readonly SyncRow[]): string {
  const marks = rows.flatMap((row) => row.marks);
  const devices = rows.reduce((sum, { deviceIds }) => sum + deviceIds.length, 0);
  const bounds = marks.flatMap(({ boundNs }) => (boundNs === undefined ? [] : [boundNs]));
  const farthest = Math.max(...marks.map(({ latenessNs }) => Math.abs(latenessNs)));
  const bound =
    bounds.length === 0 ? 'no clock bound' : `largest bound ${formatMs(Math.max(...bounds))} ms`;
  return (
    `${marks.length} marks of ${devices} ${devices === 1 ? 'device' : 'devices'}; farthest from ` +
    `the ordered instant ${formatMs(farthest)} ms; ${bound}`
  );
}

function captionOf(
  points: readonly PlacedStart[],
  rows: readonly SyncRow[],
  { limitNs, pointsSeen }: { readonly limitNs: number; readonly pointsSeen: number },
): string {
  const marks = rows.flatMap((row) => row.marks);
  const sharing = Math.max(...rows.map(({ deviceIds }) => deviceIds.length));
  const beyond = points.filter(
    ({ fleetLatenessNs, latenessNs }) => Math.abs(fleetLatenessNs ?? latenessNs) > limitNs,
  );
  const unknown = points.filter(({ boundNs }) => boundNs === undefined).length;
  const sentences = [
    'Point: actual minus ordered start in fleet time; negative is early. Line: plus and minus ' +
      'the clock bound of the device; the true lateness lies within.',
  ];
  if (sharing > 1) sentences.push(`A row holds up to ${sharing} devices, neighbours by id.`);
  if (marks.length < pointsSeen) {
    sentences.push(
      `${marks.length} of ${pointsSeen} starts are shown: of neighbours, the one farthest ` +
        'from its ordered instant.',
    );
  }
  if (unknown > 0) {
    sentences.push(
      `${unknown} ${unknown === 1 ? 'start has' : 'starts have'} no estimate of the clock, and ` +
        'so no error bar.',
    );
  }
  if (beyond.length > 0) {
    const farthestNs = beyond.reduce(
      (most, { fleetLatenessNs, latenessNs }) =>
        Math.max(most, Math.abs(fleetLatenessNs ?? latenessNs)),
      0,
    );
    sentences.push(
      `${beyond.length} ${beyond.length === 1 ? 'start lies' : 'starts lie'} beyond the edge of ` +
        `${formatMs(limitNs)} ms, the farthest ` +
        `${formatMs(farthestNs)} ms off.`,
    );
  }
  return sentences.join(' ');
}
