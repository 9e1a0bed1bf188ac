import { groupBy } from '../analysis/measured-result.ts';
import { quantile } from '../analysis/quantile.ts';
import type { StartPoint } from '../analysis/run-summary.ts';

/** More rows than this are too low to read on a page; beyond, neighbours share a row. */
const ROWS_MAX = 24;

/** More marks than this make the page heavy. */
const MARKS_MAX = 1500;

/** A start this many times beyond nearly all others would flatten them; it goes to the edge. */
const FAR_OUT = 4;

/** `agent-9` before `agent-10`. */
const BY_NUMBER = new Intl.Collator('en', { numeric: true });

/** A start whose trial the plan knows. */
export type PlacedStart = StartPoint & { readonly position: number };

/** One start in the map. */
export interface SyncMark {
  readonly deviceId: string;
  readonly position: number;
  /** In fleet time; on the device's own clock if it had no estimate. ns. */
  readonly latenessNs: number;
  /** Absent if the device had no estimate of fleet time. */
  readonly boundNs?: number;
}

/** What shares a line of the map: one device, or neighbours by id in a large fleet. */
export interface SyncRow {
  readonly deviceIds: readonly string[];
  /** By position, ascending. */
  readonly marks: readonly SyncMark[];
}

/**
 * The rows of a sync map: one per device while they are few. In a large fleet neighbours share a
 * row, and in a long run neighbouring trials share a mark; what is shown of them is the start
 * farthest from its ordered instant, so that nothing bad is hidden.
 */
export function syncRows(points: readonly PlacedStart[]): SyncRow[] {
  const byDevice = groupBy(points, ({ deviceId }) => deviceId);
  const deviceIds = [...byDevice.keys()].toSorted(BY_NUMBER.compare);
  const rows = chunks(deviceIds, Math.ceil(deviceIds.length / ROWS_MAX));
  const marksMax = Math.floor(MARKS_MAX / Math.max(1, rows.length));
  return rows.map((sharing): SyncRow => {
    const marks = sharing.flatMap((deviceId) => (byDevice.get(deviceId) ?? []).map(markOf));
    const byPosition = [...groupBy(marks, ({ position }) => String(position)).values()]
      .map(worstOf)
      .toSorted((a, b) => a.position - b.position);
    const neighbours = chunks(byPosition, Math.ceil(byPosition.length / marksMax));
    return { deviceIds: sharing, marks: neighbours.map(worstOf) };
  });
}

/**
 * The largest distance from 0 that a map has to show, ns: all of it, or, where single starts lie
 * far out, 1.5 times what 95 % of the starts need with their bounds.
 */
export function syncLimitNs(marks: readonly SyncMark[]): number {
  const reaches = marks.map(({ latenessNs, boundNs = 0 }) => Math.abs(latenessNs) + boundNs);
  const common = quantile(reaches, 0.95) ?? 0;
  const farthest = quantile(reaches, 1) ?? 0;
  return farthest > FAR_OUT * common && common > 0 ? 1.5 * common : farthest;
}

function markOf({ deviceId, position, latenessNs, fleetLatenessNs, boundNs }: PlacedStart) {
  return {
    deviceId,
    position,
    latenessNs: fleetLatenessNs ?? latenessNs,
    ...(boundNs === undefined ? {} : { boundNs }),
  } satisfies SyncMark;
}

function worstOf(marks: readonly SyncMark[]): SyncMark {
  return marks.reduce((worst, mark) =>
    Math.abs(mark.latenessNs) > Math.abs(worst.latenessNs) ? mark : worst,
  );
}

function chunks<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / Math.max(1, size)) }, (_, index) =>
    values.slice(index * size, (index + 1) * size),
  );
}
