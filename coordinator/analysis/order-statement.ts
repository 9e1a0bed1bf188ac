import { formatMs } from './format-ms.ts';
import { groupBy } from './measured-result.ts';
import type { CellSummary, DurationStatistics, RunSummary } from './run-summary.ts';

const MEDIAN_TEXTS: Readonly<Record<RunSummary['metric'], string>> = {
  'cold-start': 'median',
  makespan: 'median makespan',
  'warm-call': 'median call',
  call: 'median call',
  elapsed: 'median duration',
  lateness: 'median lateness',
};

interface Ranked {
  readonly summary: CellSummary;
  readonly latency: DurationStatistics;
}

/**
 * The answer of the run in one sentence: per function and number of sandboxes, which sandbox was
 * fastest, how far behind the next one is, and whether the 95 % intervals of the two medians
 * overlap; then they count as not separable.
 */
export function orderStatement(summary: RunSummary): string {
  return `${orderClauses(summary).join('; ').replaceAll('; With', '; with')}.`;
}

/** The clauses of {@link orderStatement}, one per function and number of sandboxes; never none. */
export function orderClauses(summary: RunSummary): string[] {
  const ranked = summary.cells.flatMap((cell): Ranked[] =>
    cell.latency === undefined ? [] : [{ summary: cell, latency: cell.latency }],
  );
  if (ranked.length === 0) return ['No cell gave a valid latency, so there is no answer'];
  const groups = groupBy(ranked, ({ summary: { cell } }) => `${cell.function} ${cell.instances}`);
  if (summary.metric === 'lateness') return ranked.map(startClause);
  return [...groups.values()].map((group) => clause(group, summary.metric));
}

/** A no-op starts no sandbox, so its cells have no order: they differ in name only. */
function startClause({ summary: { cell }, latency }: Ranked): string {
  const late = figure(latency);
  return `Nothing but the start was done; in ${cell.id} it came late by a median ${late}`;
}

function clause(group: readonly Ranked[], metric: RunSummary['metric']): string {
  const [first, second] = group.toSorted((a, b) => a.latency.medianNs - b.latency.medianNs);
  if (first === undefined) return '';
  const { cell } = first.summary;
  const batch = cell.instances === 1 ? '' : ` and ${cell.instances} at once`;
  const what = MEDIAN_TEXTS[metric];
  const opening = `With ${cell.function}${batch}, ${cell.sandbox}`;
  if (second === undefined) {
    return `${opening} is the only one measured: ${what} ${figure(first.latency)}`;
  }
  const next = second.summary.cell.sandbox;
  const ratio = (second.latency.medianNs / first.latency.medianNs).toFixed(2);
  return (
    `${opening} was fastest, ${what} ${figure(first.latency)}; ${next} came next with ` +
    `${figure(second.latency)}, ${ratio} times as long: ` +
    separation(first.latency, second.latency)
  );
}

function separation(first: DurationStatistics, second: DurationStatistics): string {
  if (first.medianInterval === undefined || second.medianInterval === undefined) {
    return 'too few values to say whether the two are separable';
  }
  return first.medianInterval.upper < second.medianInterval.lower
    ? 'the intervals do not overlap'
    : 'the intervals overlap, so the two are not separable';
}

function figure({ medianNs, medianInterval }: DurationStatistics): string {
  const value = `${formatMs(medianNs)} ms`;
  if (medianInterval === undefined) return `${value} (no interval)`;
  return `${value} [${formatMs(medianInterval.lower)}, ${formatMs(medianInterval.upper)}]`;
}
