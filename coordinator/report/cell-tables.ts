import { formatMs } from '../analysis/format-ms.ts';
import { SPANS } from '../analysis/metrics.ts';
import { finestChain } from '../analysis/span-chain.ts';
import { median } from '../analysis/quantile.ts';
import type { CellSummary, DurationStatistics, RunSummary } from '../analysis/run-summary.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { METRIC_TEXTS } from './metric-texts.ts';
import { SPAN_TITLES, rowTitle } from './phase-plot.ts';

const ABSENT = '–';

/** One row per cell: attempts, failures, invalid, and the latency with its interval. */
export function cellTable(summary: RunSummary): Markup {
  const texts = METRIC_TEXTS[summary.metric];
  const hasUnmeasured = summary.cells.some(({ unmeasured }) => unmeasured > 0);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Results by cell">
    <table>
      <caption>
        ${texts.caption}
      </caption>
      <thead>
        <tr>
          <th scope="col">Cell</th>
          ${numberHeads([
            'attempts',
            'failed',
            'failure rate, 95 %',
            'invalid',
            ...(hasUnmeasured ? ['unmeasured'] : []),
            'n',
            texts.median,
            '95 % interval',
            'p95',
            'min',
            'max',
          ])}
        </tr>
      </thead>
      <tbody>
        ${summary.cells.map((cell) => cellRow(cell, hasUnmeasured))}
      </tbody>
    </table>
  </div>`;
}

function cellRow(cell: CellSummary, hasUnmeasured: boolean): Markup {
  const { latency } = cell;
  const of = (pick: (latency: DurationStatistics) => number): Markup =>
    number(msText(latency === undefined ? undefined : pick(latency)));
  return html`<tr>
    <th scope="row">${rowTitle(cell)}</th>
    ${number(cell.attempts)} ${alarm(cell.failures)} ${number(failureText(cell))}
    ${alarm(cell.invalid)} ${hasUnmeasured ? alarm(cell.unmeasured) : undefined}
    ${number(cell.units.length)} ${of(({ medianNs }) => medianNs)} ${number(intervalText(latency))}
    ${of(({ p95Ns }) => p95Ns)} ${of(({ minNs }) => minNs)} ${of(({ maxNs }) => maxNs)}
  </tr>`;
}

/** What the single sandboxes of a burst did. */
export function burstTable(summary: RunSummary): Markup {
  return simpleTable({
    name: 'Sandboxes within the bursts',
    caption:
      "A sandbox's own time to its first byte, ms: median and p95 within each burst, then the " +
      'median of these over the bursts.',
    heads: ['median', 'p95', 'sandboxes failed'],
    rows: summary.cells.map((cell) => [
      rowTitle(cell),
      msText(cell.instanceMedianNs),
      msText(cell.instanceP95Ns),
      `${cell.instancesFailed} of ${cell.instancesReported}`,
    ]),
  });
}

/** The median of each cell on each host. Undefined if there is one host. */
export function hostTable(summary: RunSummary): Markup | undefined {
  const hosts = summary.hosts.map(({ host }) => host);
  if (hosts.length < 2) return undefined;
  return simpleTable({
    name: 'Results by host',
    caption: 'Median on each host, ms, and how many values it rests on.',
    heads: hosts,
    rows: summary.cells.map((cell) => [
      rowTitle(cell),
      ...hosts.map((host) => {
        const own = cell.units.filter((unit) => unit.host === host);
        const medianNs = median(own.map(({ valueNs }) => valueNs));
        return medianNs === undefined ? ABSENT : `${formatMs(medianNs)} (${own.length})`;
      }),
    ]),
  });
}

interface SimpleTable {
  readonly name: string;
  readonly caption: string;
  /** Of the columns after the first. */
  readonly heads: readonly string[];
  /** The first field of each is its head. */
  readonly rows: readonly (readonly string[])[];
}

function simpleTable({ name, caption, heads, rows }: SimpleTable): Markup {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${name}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          <th scope="col">Cell</th>
          ${numberHeads(heads)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([head, ...fields]) =>
            html`<tr>
              <th scope="row">${head}</th>
              ${fields.map(number)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function msText(valueNs: number | undefined): string {
  return valueNs === undefined ? ABSENT : formatMs(valueNs);
}

function failureText({ failureRate, failureInterval }: CellSummary): string {
  if (failureRate === undefined || failureInterval === undefined) return ABSENT;
  const percent = (share: number): string =>
    (share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0);
  const { lower, upper } = failureInterval;
  return `${percent(failureRate)} % [${percent(lower)}, ${percent(upper)}]`;
}

function intervalText(latency: DurationStatistics | undefined): string {
  const interval = latency?.medianInterval;
  if (interval === undefined) return ABSENT;
  return `[${formatMs(interval.lower)}, ${formatMs(interval.upper)}]`;
}

/**
 * One row per cell: the median of each phase, ms. A whole is left out if every cell has its parts.
 */
export function phaseTable(summary: RunSummary): Markup {
  const chains = summary.cells.flatMap(({ spans }) => finestChain(spans));
  const seen = new Set(chains.map(({ span }) => span));
  const shown = SPANS.filter(({ span }) => seen.has(span));
  return simpleTable({
    name: 'Medians of the phases',
    caption:
      'Median of each phase over trials on hosts, ms. ' +
      (summary.metric === 'warm-call'
        ? 'What lies before the call, and the teardown, are not part of the latency.'
        : 'The teardown is not part of the latency.'),
    heads: shown.map(({ span }) => SPAN_TITLES[span]),
    rows: summary.cells.map((cell) => [
      rowTitle(cell),
      ...shown.map(({ span }) => msText(cell.spans.find((one) => one.span === span)?.medianNs)),
    ]),
  });
}

function numberHeads(titles: readonly string[]): Markup[] {
  return titles.map((title) => html`<th scope="col" class="number">${title}</th>`);
}

function number(value: number | string): Markup {
  return html`<td class="number">${value}</td>`;
}

function alarm(count: number): Markup {
  return html`<td class="number${count > 0 ? ' bad' : ''}">${count}</td>`;
}
