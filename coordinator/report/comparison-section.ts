import { compareSandboxes } from '../analysis/cell-comparisons.ts';
import type { ComparisonGroup, SandboxComparison } from '../analysis/cell-comparisons.ts';
import {
  comparisonCautions,
  comparisonSentence,
  pText,
  times,
} from '../analysis/comparison-sentence.ts';
import { formatMs } from '../analysis/format-ms.ts';
import type { RunSummary } from '../analysis/run-summary.ts';
import { groupTitle } from './cell-names.ts';
import { coverageText } from './coverage-text.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { tableMarkup } from './text-table.ts';
import type { Field, ReportTable } from './text-table.ts';

/** More sentences than this are no answer; the table has all. */
const SENTENCES_MAX = 24;

/** The answer to each comparison, in a sentence and in a table. */
export function comparisonSection(summary: RunSummary): Markup {
  const groups = compareSandboxes(summary);
  const comparisons = groups.flatMap((group) => group.comparisons);
  return html`<section aria-labelledby="answers">
    <h2 id="answers">Answers</h2>
    ${
      comparisons.length === 0
        ? html`<p>${reasonWithout(summary)}</p>`
        : html`${
            comparisons.length <= SENTENCES_MAX
              ? groups.filter((group) => group.comparisons.length > 0).map(groupMarkup)
              : [html`<p>${comparisons.length} comparisons, too many for a sentence each.</p>`]
          }
          ${comparisonCautions(groups).map((caution) => html`<p>${caution}</p>`)}
          ${tableMarkup(tableOf(comparisons, coverageText(summary.coverage)))}`
    }
  </section>`;
}

function reasonWithout({ metric, cells, memory }: RunSummary): string {
  if (metric === 'lateness') return 'A no-op starts no sandbox, so there is nothing to compare.';
  if (cells.every(({ units }) => units.length === 0)) {
    return memory === undefined
      ? 'No cell gave a valid value.'
      : 'No cell has a latency; what was read is memory, below.';
  }
  return 'There is one kind of sandbox, so there is nothing to compare it with.';
}

function groupMarkup(group: ComparisonGroup): Markup {
  const { comparisons, baseline, fastest } = group;
  return html`<h3>${groupTitle(group)}: against ${baseline}</h3>
    <ul class="sentences">
      ${comparisons.map((one) => html`<li>${comparisonSentence(one)}</li>`)}
    </ul>
    ${
      fastest === baseline
        ? undefined
        : html`<p class="quiet">The smallest median is that of ${fastest}.</p>`
    }`;
}

function tableOf(comparisons: readonly SandboxComparison[], coverage: string): ReportTable {
  return {
    name: 'Comparisons',
    caption:
      `Ratio of the medians, sandbox to baseline, with its ${coverage} interval; of several ` +
      'hosts the ' +
      "geometric mean of the hosts' own ratios. A12: how often a trial of the sandbox took " +
      'longer ' +
      'than one of the baseline. p: rank sum test, corrected by Holm over all comparisons of the ' +
      'run. Medians in ms.',
    heads: [
      'Comparison',
      'n',
      'hosts',
      'baseline',
      'sandbox',
      'ratio',
      `${coverage} interval`,
      'A12',
      'p',
    ],
    isNumeric: true,
    rows: comparisons.map((one) => [rowHead(one), ...fieldsOf(one)]),
  };
}

function rowHead(comparison: SandboxComparison): string {
  return `${comparison.sandbox} to ${comparison.baseline}, ${groupTitle(comparison)}`;
}

function fieldsOf({ n, hosts, mediansNs, ratio, effect, pAdjusted }: SandboxComparison): Field[] {
  const interval = ratio?.interval;
  return [
    `${n[0]}, ${n[1]}`,
    String(hosts),
    ...mediansNs.map((medianNs) => (medianNs === undefined ? undefined : formatMs(medianNs))),
    ratio === undefined ? undefined : times(ratio.ratio),
    interval === undefined ? undefined : `[${times(interval.lower)}, ${times(interval.upper)}]`,
    effect === undefined ? undefined : effect.a12.toFixed(2),
    pAdjusted === undefined ? undefined : pText(pAdjusted),
  ];
}
