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
import { coverageText } from './coverage-text.ts';

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

/**
 * What each cell says about hosts like those that were measured. Undefined if no cell has values of
 * two hosts.
 */
export function fleetTable({ cells, coverage }: RunSummary): ReportTable | undefined {
  const rows = cells.flatMap((cell): ReportTable['rows'] => {
    const { fleet } = cell;
    if (fleet === undefined) return [];
    const { estimateNs, interval, hosts, caution } = fleet;
    const ends =
      interval === undefined
        ? undefined
        : `[${formatMs(interval.lower)}, ${formatMs(interval.upper)}]`;
    return [[rowTitle(cell), String(hosts), formatMs(estimateNs), ends, caution ?? 'none']];
  });
  if (rows.length === 0) return undefined;
  return {
    name: 'A typical host',
    caption:
      'The latency of a typical host, ms: the geometric mean of the medians of the hosts, with ' +
      'an interval for hosts of this kind that were not measured. More hosts narrow it; more ' +
      'trials on the same hosts hardly do.',
    heads: ['Cell', 'hosts', 'ms', `${coverageText(coverage)} interval`, 'caution'],
    rows,
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
