import type { RunSummary } from '../analysis/run-summary.ts';
import type { SourceGap, TelemetrySummary } from '../analysis/telemetry-summary.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { printable } from './printable.ts';

/** More reasons than this are in the data alone. */
const GAPS_SHOWN_MAX = 40;

/** How trials were sampled, what that cost, and what could not be. Undefined without samples. */
export function samplingMethod({ telemetry }: Pick<RunSummary, 'telemetry'>): Markup | undefined {
  if (telemetry === undefined) return undefined;
  const { gaps } = telemetry;
  const left = gaps.length - GAPS_SHOWN_MAX;
  return html`<h3>Sampling</h3>
    <dl>
      ${entriesOf(telemetry).map(
        ([term, text]) =>
          html`<dt>${term}</dt>
            <dd>${printable(text)}</dd>`,
      )}
    </dl>
    ${
      gaps.length === 0
        ? undefined
        : html`<p>Not sampled, or more slowly than asked for:</p>
            <ul>
              ${gaps
                .slice(0, GAPS_SHOWN_MAX)
                .map((gap) => html`<li>${printable(gapText(gap))}</li>`)}
            </ul>
            ${
              left > 0 ? html`<p class="quiet">And ${left} more in results.parquet.</p>` : undefined
            }`
    }`;
}

function entriesOf(telemetry: TelemetrySummary): [term: string, text: string][] {
  const { sampled, failed, ratesHz, samples, blocks, rounds, missed, thinned } = telemetry;
  const entries: [string, string][] = [
    [
      'Sampled',
      `${sampled} of ${sampled + failed} results; ${samples} values in ${blocks} blocks` +
        (thinned > 0 ? `; thinned out in ${thinned} results` : ''),
    ],
  ];
  const { achievedMedian, achievedLeast } = telemetry;
  if (achievedMedian !== undefined && achievedLeast !== undefined) {
    entries.push([
      'Rate',
      `${ratesHz.map((rateHz) => `${rateHz} Hz`).join(', ')} asked for; achieved ` +
        `${percent(achievedMedian)} of it in the median result, ${percent(achievedLeast)} in the ` +
        `slowest; ${missed} of ${rounds + missed} rounds missed`,
    ]);
  }
  const { latenessP50Ns, latenessP99Ns, latenessMaxNs } = telemetry;
  if (latenessP50Ns !== undefined && latenessP99Ns !== undefined && latenessMaxNs !== undefined) {
    entries.push([
      'Lateness of samples',
      `median ${ms(latenessP50Ns)}, 99th percentile ${ms(latenessP99Ns)} (medians over results); ` +
        `the latest ${ms(latenessMaxNs)}`,
    ]);
  }
  const { cpuMedian, cpuMost } = telemetry;
  if (cpuMedian !== undefined && cpuMost !== undefined) {
    entries.push([
      'Cost of sampling',
      `${percent(cpuMedian)} of one processor in the median result, ${percent(cpuMost)} at most; ` +
        'in a process of its own',
    ]);
  }
  return entries;
}

function gapText({ source, unavailable, limitedBy, remedy, deviceIds }: SourceGap): string {
  const why = unavailable === undefined ? `slower: ${limitedBy ?? ''}` : unavailable;
  const advice = remedy === undefined ? '' : ` ${sentence(remedy)}`;
  const whose = deviceIds.length === 1 ? deviceIds.join() : `${deviceIds.length} devices`;
  return `${source} (${whose}): ${sentence(why)}${advice}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function ms(ns: number): string {
  return `${(ns / 1e6).toPrecision(2)} ms`;
}
