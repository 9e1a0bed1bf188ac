import { distinctResults } from '../analysis/distinct-results.ts';
import type { Exception, RunSummary } from '../analysis/run-summary.ts';
import type { Failure } from '../../schemas/failure.ts';
import type { Plan } from '../../schemas/plan.ts';
import { INVALID_CODES, resultKey } from '../../schemas/result.ts';
import type { Instance, TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { printable, printableLines } from './printable.ts';

/** Every result that is not in the latency, with its reason: none is left out. */
export function exceptionSection(
  run: Run,
  results: readonly TrialResult[],
  { exceptions }: RunSummary,
): Markup {
  const distinct = distinctResults(run.runId, results).results;
  const byKey = new Map(distinct.map((result) => [resultKey(result), result]));
  const shown = exceptions.map((exception) =>
    exceptionBox(exception, byKey.get(resultKey({ ...exception, runId: run.runId }))),
  );
  return html`<section aria-labelledby="exceptions">
    <h2 id="exceptions">Failed and invalid results</h2>
    ${
      shown.length === 0
        ? html`<p>None: every result that was recorded is in the figures.</p>`
        : html`<p>All ${shown.length} that were recorded, by place in the plan.</p>
            ${markTexts(exceptions)} ${shown}`
    }
  </section>`;
}

/** What the marks mean that occur in this run. */
function markTexts(exceptions: readonly Exception[]): Markup | undefined {
  const codes = new Set(exceptions.flatMap(({ marks }) => marks.map(({ code }) => code)));
  if (codes.size === 0) return undefined;
  return html`<dl aria-label="What the marks mean">
    ${[...codes].toSorted().map(
      (code) =>
        html`<dt><code>${code}</code></dt>
          <dd>${INVALID_CODES[code]}</dd>`,
    )}
  </dl>`;
}

/** The cells that could not be measured, with reason and remedy. */
export function skippedSection({ skipped }: Plan): Markup | undefined {
  if (skipped.length === 0) return undefined;
  return html`<section aria-labelledby="skipped">
    <h2 id="skipped">Skipped cells</h2>
    ${skipped.map(
      ({ cell, failure, deviceId }) =>
        html`<div class="exception">
          <h3>
            ${cell.id}${
              deviceId === undefined ? undefined : html`<span class="quiet"> on ${deviceId}</span>`
            }
          </h3>
          ${failureText(failure)}
        </div>`,
    )}
  </section>`;
}

function exceptionBox(exception: Exception, result: TrialResult | undefined): Markup {
  const { kind, cellId, trialId, attempt, deviceId } = exception;
  const failedInstances = result?.instances.filter(({ status }) => status === 'failed') ?? [];
  // One sandbox's failure is the trial's: said once.
  const isOwn = failedInstances.every(
    ({ failure }) => failure?.message !== result?.failure?.message,
  );
  return html`<div class="exception">
    <h3><span class="tag">${kind}</span> ${cellId}</h3>
    <p class="quiet">
      ${trialId}, attempt ${attempt},
      ${deviceId}${result?.reportedBy === 'coordinator' ? ', reported by the coordinator' : ''}
    </p>
    ${isOwn && result?.failure !== undefined ? failureText(result.failure) : undefined}
    ${exception.marks.map(
      ({ code, message }) => html`<p><code>${code}</code> ${printable(message)}</p>`,
    )}
    ${failedInstances.map((instance) => instanceText(instance, result?.cell.instances ?? 1))}
    ${
      kind === 'unmeasured'
        ? html`<p>The result is valid, but a stamp that the latency needs is absent.</p>`
        : undefined
    }
  </div>`;
}

function instanceText({ index, failure, failedAfter, logTail }: Instance, count: number): Markup {
  const which = count === 1 ? '' : `Sandbox ${index}: `;
  return html`${failure === undefined ? undefined : failureText(failure, which)}
    <p>
      ${
        failedAfter === undefined
          ? `${which}no phase was reached.`
          : html`Last phase that was reached: <code>${failedAfter}</code>.`
      }
    </p>
    ${
      logTail === undefined || logTail === ''
        ? html`<p class="quiet">The sandbox printed nothing.</p>`
        : html`<pre aria-label="End of the log">${printableLines(logTail)}</pre>`
    }`;
}

function failureText({ code, message, hint }: Failure, which = ''): Markup {
  return html`<p>
    ${which}<code>${code}</code> ${printable(message)}
    ${hint === undefined ? undefined : html`<span class="quiet">${printable(hint)}</span>`}
  </p>`;
}
