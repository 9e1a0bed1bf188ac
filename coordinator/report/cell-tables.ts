import { formatMs } from '../analysis/format-ms.ts';
import { groupBy } from '../analysis/measured-result.ts';
import { SPANS } from '../analysis/metrics.ts';
import { median } from '../analysis/quantile.ts';
import type { CellSummary, RunSummary } from '../analysis/run-summary.ts';
import { finestChain } from '../analysis/span-chain.ts';
import { cellColumns } from './cell-columns.ts';
import { rowTitle } from './cell-names.ts';
import { METRIC_TEXTS } from './metric-texts.ts';
import { SPAN_TITLES } from './phase-plot.ts';
import type { Field, ReportTable } from './text-table.ts';

/** More hosts than this make no column each. */
const HOSTS_MAX = 12;

/** One row per cell: attempts, failures, invalid, and the latency with its interval. */
export function cellTable(summary: RunSummary): ReportTable {
  const columns = cellColumns(summary, false);
  return {
    name: 'Results by cell',
    caption: METRIC_TEXTS[summary.metric].caption,
    heads: ['Cell', ...columns.map(({ title }) => title)],
    isNumeric: true,
    rows: summary.cells.map((cell) => [
      rowTitle(cell),
      ...columns.map(({ text, isAlarming }): Field => {
        const shown = text(cell);
        if (shown === undefined || isAlarming === undefined) return shown;
        return { text: shown, isAlarming: isAlarming(cell) };
      }),
    ]),
  };
}

/** What the single sandboxes of a burst did. */
export function burstTable({ cells }: RunSummary): ReportTable {
  return {
    name: 'Sandboxes within the bursts',
    caption:
      "A sandbox's own time to its first byte, ms: median and p95 within each burst, then the " +
      'median of these over the bursts.',
    heads: ['Cell', 'median', 'p95', 'sandboxes failed'],
    isNumeric: true,
    rows: cells.map((cell) => [
      rowTitle(cell),
      msText(cell.instanceMedianNs),
      msText(cell.instanceP95Ns),
      `${cell.instancesFailed} of ${cell.instancesReported}`,
    ]),
  };
}

/** The median of each cell on each host. Undefined if there is one host, or very many. */
export function hostTable(summary: RunSummary): ReportTable | undefined {
  const hosts = summary.hosts.map(({ host }) => host);
  if (hosts.length < 2 || hosts.length > HOSTS_MAX) return undefined;
  return {
    name: 'Results by host',
    caption: 'Median on each host, ms, and how many values it rests on.',
    heads: ['Cell', ...hosts],
    isNumeric: true,
    rows: summary.cells.map((cell) => [rowTitle(cell), ...hostFields(cell, hosts)]),
  };
}

function hostFields({ units }: CellSummary, hosts: readonly string[]): Field[] {
  const byHost = groupBy(units, ({ host }) => host);
  return hosts.map((host) => {
    const own = byHost.get(host) ?? [];
    const medianNs = median(own.map(({ valueNs }) => valueNs));
    return medianNs === undefined ? undefined : `${formatMs(medianNs)} (${own.length})`;
  });
}

/**
 * One row per cell: the median of each phase, ms. A whole is left out if every cell has its parts.
 */
export function phaseTable({ cells, metric }: RunSummary): ReportTable {
  const chains = cells.flatMap(({ spans }) => finestChain(spans));
  const seen = new Set(chains.map(({ span }) => span));
  const shown = SPANS.filter(({ span }) => seen.has(span));
  return {
    name: 'Medians of the phases',
    caption:
      'Median of each phase over trials on hosts, ms. ' +
      (metric === 'warm-call'
        ? 'What lies before the call, and the teardown, are not part of the latency.'
        : 'The teardown is not part of the latency.'),
    heads: ['Cell', ...shown.map(({ span }) => SPAN_TITLES[span])],
    isNumeric: true,
    rows: cells.map((cell) => [
      rowTitle(cell),
      ...shown.map(({ span }) => msText(cell.spans.find((one) => one.span === span)?.medianNs)),
    ]),
  };
}

function msText(valueNs: number | undefined): string | undefined {
  return valueNs === undefined ? undefined : formatMs(valueNs);
}
