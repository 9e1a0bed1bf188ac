import type { Measurement, MeasureName } from '../../schemas/measurement.ts';
import { groupBy } from './measured-result.ts';
import type { MeasuredResult } from './measured-result.ts';
import { median } from './quantile.ts';
import type { MeasureSummary, RunSummary } from './run-summary.ts';
import { quantileInterval } from './statistics/quantile-interval.ts';
import { sortedQuantile } from './statistics/sorted-quantile.ts';

/** More lines than this per cell would be no summary. */
const LINES_PER_CELL_MAX = 400;

interface Line {
  readonly cellId: string;
  readonly measure: MeasureName;
  readonly labels: Readonly<Record<string, string>>;
  readonly values: number[];
}

/**
 * What procedures measured beside the phases, by cell, measure and labels. As with latencies, the
 * unit is one trial on one host: sandboxes and agents that share it give their median. A trial of
 * starts and stops counts although sandboxes of it failed: how many did is what it measures.
 */
export class MeasureTally {
  readonly #lines = new Map<string, Map<string, Line>>();

  /** Adds results of one trial. */
  add(measured: readonly MeasuredResult[]): void {
    const kept = measured.filter(counts);
    const keyOf = ({ host, result }: MeasuredResult): string =>
      `${result.cell.id} ${result.attempt} ${host}`;
    for (const sharing of groupBy(kept, keyOf).values()) this.#addUnit(sharing);
  }

  /** Every line, in the order of the cells, then of the measures as they came. */
  summary(cellIds: Iterable<string>, coverage: number): Pick<RunSummary, 'measures'> {
    const measures = [...cellIds].flatMap((cellId) =>
      [...(this.#lines.get(cellId)?.values() ?? [])].map((line) => summaryOf(line, coverage)),
    );
    return measures.length === 0 ? {} : { measures };
  }

  #addUnit(sharing: readonly MeasuredResult[]): void {
    const cellId = sharing[0]?.result.cell.id ?? '';
    const found = new Map<string, Line>();
    for (const { result } of sharing) {
      for (const { measure, labels, value } of result.measurements ?? []) {
        const summarised = summarisedLabels(labels);
        const key = `${measure} ${JSON.stringify(summarised)}`;
        const own = found.get(key);
        if (own === undefined) {
          found.set(key, { cellId, measure, labels: summarised, values: [value] });
        } else own.values.push(value);
      }
    }
    const lines = this.#lines.get(cellId) ?? new Map<string, Line>();
    this.#lines.set(cellId, lines);
    for (const [key, { values, ...names }] of found) {
      const value = median(values);
      if (value === undefined) continue;
      const line = lines.get(key);
      if (line !== undefined) line.values.push(value);
      else if (lines.size < LINES_PER_CELL_MAX) lines.set(key, { ...names, values: [value] });
    }
  }
}

/**
 * The labels that a summary keeps. Intervals and cycles repeat the same within a trial, and so do
 * the calls after the first.
 */
export function summarisedLabels(labels: Measurement['labels'] = {}): Record<string, string> {
  const entries = Object.entries(labels).flatMap(([name, value]): [string, string][] => {
    if (name === 'interval' || name === 'cycle') return [];
    if (name === 'call') return [[name, value === '1' ? 'first' : 'later']];
    return [[name, value]];
  });
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function counts({ outcome, result: { invalid, measurements = [] } }: MeasuredResult): boolean {
  if (measurements.length === 0) return false;
  const isChurn = measurements.some(({ measure }) => measure === 'churn.failures');
  return outcome === 'kept' || (isChurn && outcome === 'failed' && invalid.length === 0);
}

function summaryOf({ values, ...names }: Line, coverage: number): MeasureSummary {
  const sorted = Float64Array.from(values).sort();
  const interval = quantileInterval(sorted, 0.5, coverage);
  return {
    ...names,
    n: sorted.length,
    median: sortedQuantile(sorted, 0.5),
    min: sortedQuantile(sorted, 0),
    max: sortedQuantile(sorted, 1),
    ...(interval === undefined ? {} : { interval }),
  };
}
