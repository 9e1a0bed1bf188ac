import type { CellPrecision, Look } from '../../schemas/look.ts';
import { valuesNeeded } from './stop-rule.ts';
import type { StopRule } from './stop-rule.ts';

/** Cells that are named one by one, at most. */
const CELLS_NAMED_MAX = 4;

/** What a look saw, as a line: `look 2 of 4 at 20 repetitions: runc/go/1 ±7.1 %, wanted ±5 %`. */
export function lookLine({ look, looks, repetitions, cells }: Look, rule: StopRule): string {
  const open = worstFirst(cells);
  const place = `look ${look} of ${looks} at ${repetitions} repetitions`;
  const wanted = `wanted ±${percentText(rule.wantedPercent)}`;
  if (open.length === 0) return `${place}: every cell is precise enough, ${wanted}`;
  const others = open.length > 1 ? ` (the worst of ${open.length} cells)` : '';
  return `${place}: ${reachedText(open[0])}${others}, ${wanted}`;
}

/**
 * Why no look can end a run early.
 *
 * @param values that each cell has at most, at the end
 * @returns undefined if one can
 */
export function hopelessText(rule: StopRule, values: number): string | undefined {
  const needed = valuesNeeded(rule);
  if (values >= needed) return undefined;
  return (
    `an interval of the ${statisticOf(rule)} needs ${needed} values of each cell, and this run ` +
    `has ${values} at most: no look can find it precise`
  );
}

/** Why a run ended at a look. */
export function stoppedAtLookText(
  { look, looks, repetitions, cells }: Look,
  rule: StopRule,
): string {
  if (cells.every(({ isPrecise }) => isPrecise)) {
    return (
      `Stopped at look ${look} of ${looks}, after ${repetitions} repetitions: the ` +
      `${statisticOf(rule)} of every cell is known to ±${percentText(rule.wantedPercent)}.`
    );
  }
  return (
    `All ${repetitions} repetitions are done without the precision wanted ` + openText(cells, rule)
  );
}

/**
 * Why a run ended by the clock.
 *
 * @param rule undefined if no precision was wanted
 */
export function stoppedByTimeText(
  done: { limitMinutes: number; repetitions: number; maximum: number },
  cells: readonly CellPrecision[],
  rule: StopRule | undefined,
): string {
  const { limitMinutes, repetitions, maximum } = done;
  const what =
    `The time limit of ${limitMinutes} minutes was over after ${repetitions} of ${maximum} ` +
    'repetitions';
  if (rule === undefined) return `${what}.`;
  if (cells.every(({ isPrecise }) => isPrecise)) return `${what}; every cell is precise enough.`;
  return `${what}, without the precision wanted ${openText(cells, rule)}`;
}

function openText(cells: readonly CellPrecision[], rule: StopRule): string {
  const open = worstFirst(cells);
  const named = open.slice(0, CELLS_NAMED_MAX).map((cell) => {
    const { repetitionsNeeded: needed } = cell;
    if (needed === undefined) return reachedText(cell);
    // Two digits: the figure is an extrapolation.
    return `${reachedText(cell)}, needs about ${Number(needed.toPrecision(2))} repetitions`;
  });
  const untold = open.length - named.length;
  const more = untold === 0 ? '' : `; and ${untold} more`;
  const wanted = `±${percentText(rule.wantedPercent)} of the ${statisticOf(rule)}`;
  return `(${wanted}): ${named.join('; ')}${more}.`;
}

function reachedText(cell: CellPrecision | undefined): string {
  if (cell === undefined) return 'no cell';
  const { cellId, n, halfWidthPercent, estimateNs } = cell;
  if (halfWidthPercent !== undefined) return `${cellId} is at ±${percentText(halfWidthPercent)}`;
  return estimateNs !== undefined && estimateNs <= 0
    ? `${cellId} is not above 0, so it has no relative precision`
    : `${cellId} has too few valid values for an interval (${n})`;
}

function worstFirst(cells: readonly CellPrecision[]): CellPrecision[] {
  return cells.filter(({ isPrecise }) => !isPrecise).toSorted((a, b) => widthOf(b) - widthOf(a));
}

function widthOf({ halfWidthPercent }: CellPrecision): number {
  return halfWidthPercent ?? Number.MAX_VALUE;
}

function statisticOf({ probability }: StopRule): string {
  return probability === 0.5 ? 'median' : '95th percentile';
}

/** `5 %`, `7.1 %`, `0.52 %`: three digits at most. */
export function percentText(percent: number): string {
  return `${Number(percent.toPrecision(percent < 1 ? 2 : 3))} %`;
}
