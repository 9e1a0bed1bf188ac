import * as Plot from '@observablehq/plot';
import { formatMs } from '../analysis/format-ms.ts';
import { groupBy } from '../analysis/measured-result.ts';
import { SPANS } from '../analysis/metrics.ts';
import type { CellSummary, RunSummary, SpanName } from '../analysis/run-summary.ts';
import { finestChain } from '../analysis/span-chain.ts';
import { PHASES } from '../../schemas/result.ts';
import { ROWS_MAX, rowTitle } from './cell-names.ts';
import { figureGroup } from './figure.ts';
import { areaLegend } from './legend.ts';
import type { Markup } from './markup.ts';
import { plotSvg } from './plot-svg.ts';

/** What the spans are called on the page. */
export const SPAN_TITLES: Readonly<Record<SpanName, string>> = {
  'request-spawn': 'request to spawn',
  'spawn-gateOpen': 'spawn to gate open',
  'spawn-guestEntry': 'spawn to guest entry',
  'gateOpen-guestEntry': 'gate open to guest entry',
  'guestEntry-appMain': 'guest entry to app main',
  'gateOpen-appMain': 'gate open to app main',
  'spawn-appMain': 'spawn to app main',
  'appMain-ready': 'app main to ready',
  'ready-call': 'ready to call',
  'ready-firstByte': 'ready to first byte',
  'call-firstByte': 'call to first byte',
  'firstByte-lastByte': 'first to last byte',
  teardown: 'teardown',
};

/** Spans that differ only in whether a phase at their edge was seen share a colour. */
const COLOURS: Readonly<Partial<Record<SpanName, string>>> = {
  'request-spawn': 'var(--p1)',
  'spawn-gateOpen': 'var(--p8)',
  'spawn-guestEntry': 'var(--p2)',
  'gateOpen-guestEntry': 'var(--p2)',
  'guestEntry-appMain': 'var(--p3)',
  'gateOpen-appMain': 'var(--p4)',
  'spawn-appMain': 'var(--p4)',
  'appMain-ready': 'var(--p5)',
  'ready-call': 'var(--p9)',
  'ready-firstByte': 'var(--p6)',
  'call-firstByte': 'var(--p6)',
  'firstByte-lastByte': 'var(--p7)',
};

/** What a segment is called in the bar, so that nobody needs its colour. */
const LETTERS = 'ABCDEFGHIJ';

/** A narrower segment has no room for its letter, percent of the axis. */
const LETTER_WIDTH_MIN = 4;

interface Segment {
  readonly row: string;
  readonly span: SpanName;
  readonly colour: string;
  readonly beginMs: number;
  readonly endMs: number;
}

/** A segment as it is drawn. */
interface LetteredSegment extends Segment {
  readonly letter: string;
}

/**
 * Where the time goes: the median of each span, stacked, once in ms and once as shares of the sum.
 * What is not measured is left out: the teardown, and of a warm call all that comes before the
 * call. Undefined if no span was seen.
 */
export function phasePlots({
  cells,
  metric,
}: Pick<RunSummary, 'cells' | 'metric'>): Markup | undefined {
  const first = PHASES.indexOf(metric === 'warm-call' ? 'call' : 'request');
  const shown = cells.filter(({ spans }) => spans.length > 0).slice(0, ROWS_MAX);
  const seen = SPANS.filter(({ span }) =>
    shown.some((cell) => stack(cell, first).some((one) => one.span === span)),
  );
  const byColour = [...groupBy(seen, ({ span }) => COLOURS[span] ?? 'currentColor').entries()];
  const letterOf = new Map(
    byColour.flatMap(([, spans], index) =>
      spans.map(({ span }) => [span, LETTERS[index] ?? ''] as const),
    ),
  );
  const segments = shown
    .flatMap((cell) => stack(cell, first))
    .map((segment) => ({ ...segment, letter: letterOf.get(segment.span) ?? '' }));
  if (segments.length === 0) return undefined;
  const legend = byColour.map(([colour, spans], index) => ({
    name: `${LETTERS[index] ?? ''}: ${spans.map(({ span }) => SPAN_TITLES[span]).join(', or ')}`,
    colour,
  }));
  const figures = [
    { title: 'In milliseconds', svg: barPlot(segments, 'ms') },
    { title: 'As shares', svg: barPlot(shares(segments), 'share') },
  ];
  return figureGroup(figures, {
    legend: areaLegend(legend),
    caption:
      'Medians of the single phases, stacked in the order of the legend; their sum need not be ' +
      'the median of the whole. A phase that a sandbox does not show is absent, not 0. All ' +
      "instants are stamped on the host; a guest's when its marker arrives." +
      (metric === 'warm-call'
        ? ' The bars show the call, which is what was measured; the start before it stands in ' +
          'the table, and the wait for the other devices in its column ready to call.'
        : ''),
  });
}

function stack(summary: CellSummary, firstPhase: number): Segment[] {
  const spans = summary.spans.filter(({ from }) => PHASES.indexOf(from) >= firstPhase);
  let endMs = 0;
  return finestChain(spans).flatMap(({ span, medianNs }): Segment[] => {
    const colour = COLOURS[span];
    if (colour === undefined) return [];
    const beginMs = endMs;
    // A marker may arrive after the phase that follows it: such a span has no width.
    endMs += Math.max(0, medianNs) / 1e6;
    return [{ row: rowTitle(summary), span, colour, beginMs, endMs }];
  });
}

function shares(segments: readonly LetteredSegment[]): LetteredSegment[] {
  const sums = new Map<string, number>();
  for (const { row, endMs } of segments) sums.set(row, Math.max(sums.get(row) ?? 0, endMs));
  return segments.map((segment) => {
    const sum = sums.get(segment.row) ?? 0;
    const scale = sum === 0 ? 0 : 100 / sum;
    return { ...segment, beginMs: segment.beginMs * scale, endMs: segment.endMs * scale };
  });
}

function barPlot(segments: readonly LetteredSegment[], unit: 'ms' | 'share'): Markup {
  const rows = [...new Set(segments.map(({ row }) => row))];
  const most = segments.reduce((end, { endMs }) => Math.max(end, endMs), 0);
  const widthMin = (LETTER_WIDTH_MIN / 100) * (unit === 'share' ? 100 : most);
  const longest = rows.reduce((length, row) => Math.max(length, row.length), 0);
  return plotSvg({
    width: 500,
    height: 56 + 26 * rows.length,
    marginLeft: Math.min(230, 16 + 7 * longest),
    marginBottom: 42,
    marginTop: 6,
    marginRight: 20,
    x: {
      label: unit === 'ms' ? 'median, ms' : 'share of the sum, %',
      labelAnchor: 'center',
      labelArrow: 'none',
      grid: true,
      ...(unit === 'share' ? { domain: [0, 100] } : { nice: true }),
      ticks: 5,
    },
    y: { domain: rows, label: null, tickSize: 0 },
    marks: [
      Plot.barX(segments, {
        x1: 'beginMs',
        x2: 'endMs',
        y: 'row',
        fill: 'colour',
        insetTop: 3,
        insetBottom: 3,
        stroke: 'var(--page)',
        strokeWidth: 1,
      }),
      Plot.text(
        segments.filter(({ beginMs, endMs }) => endMs - beginMs > widthMin),
        {
          x: (segment: Segment) => (segment.beginMs + segment.endMs) / 2,
          y: 'row',
          text: 'letter',
          fill: 'var(--page)',
          fontWeight: 700,
          fontSize: 11,
        },
      ),
      Plot.ruleX([0]),
    ],
    color: { type: 'identity' },
    ariaLabel:
      unit === 'ms' ? 'Median time of each phase, ms' : 'Share of each phase in the sum, percent',
    ariaDescription: rows.map((row) => describe(row, segments, unit)).join('; '),
  });
}

function describe(row: string, segments: readonly Segment[], unit: 'ms' | 'share'): string {
  const parts = segments
    .filter((segment) => segment.row === row)
    .map(({ span, beginMs, endMs }) => {
      const size = endMs - beginMs;
      const text = unit === 'ms' ? `${formatMs(size * 1e6)} ms` : `${size.toFixed(0)} %`;
      return `${SPAN_TITLES[span]} ${text}`;
    });
  return `${row}: ${parts.join(', ')}`;
}
