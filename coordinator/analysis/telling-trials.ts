import type { CellSummary, Unit } from './run-summary.ts';

/** A trial on a host that is worth a look at what was sampled around it. */
export interface TellingTrial extends Pick<Unit, 'trialId' | 'attempt' | 'host'> {
  readonly cellId: string;
  /** The trial nearest the median of its cell, or the slowest of it. */
  readonly role: 'median' | 'worst';
}

/** More cells than this make a page of which nobody looks at all. */
const CELLS_MAX = 12;

/** Of the first cells that have values: the trial nearest the median, and the worst one. */
export function tellingTrials(cells: readonly CellSummary[]): TellingTrial[] {
  const measured = cells.filter(({ units }) => units.length > 0).slice(0, CELLS_MAX);
  return measured.flatMap(({ cell, units, latency }) => {
    const medianNs = latency?.medianNs ?? Number.NaN;
    const median = least(units, ({ valueNs }) => Math.abs(valueNs - medianNs));
    const worst = least(units, ({ valueNs }) => -valueNs);
    const roles = [
      ['median', median],
      ['worst', worst],
    ] as const;
    return roles.flatMap(([role, unit]): TellingTrial[] => {
      if (unit === undefined || (role === 'worst' && unit === median)) return [];
      const { trialId, attempt, host } = unit;
      return [{ cellId: cell.id, role, trialId, attempt, host }];
    });
  });
}

function least(units: readonly Unit[], sizeOf: (unit: Unit) => number): Unit | undefined {
  let best = units[0];
  for (const unit of units) if (best !== undefined && sizeOf(unit) < sizeOf(best)) best = unit;
  return best;
}
