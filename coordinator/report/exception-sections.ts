import type { Exception, FailedInstance, RunSummary } from '../analysis/run-summary.ts';
import type { Failure } from '../../schemas/failure.ts';
import type { Plan } from '../../schemas/plan.ts';
import { INVALID_CODES } from '../../schemas/result.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { printable, printableLines } from './printable.ts';

/** Logs shown of one failure of one cell; what follows says the same again. */
const LOGS_PER_FAILURE_MAX = 3;

/** Every result that is not in the latency, with its reason: none is left out unsaid. */
export function exceptionSection({ exceptions, exceptionCount }: RunSummary): Markup {
  return html`<section aria-labelledby="exceptions">
    <h2 id="exceptions">Failed and invalid results</h2>
    ${
      exceptionCount === 0
        ? html`<p>None: every result that was recorded is in the figures.</p>`
        : html`<p>${countText(exceptions.length, exceptionCount)}</p>
            ${markTexts(exceptions)} ${withLogs(exceptions).map(exceptionBox)}`
    }
  </section>`;
}

function countText(shown: number, count: number): string {
  if (shown === count) return `All ${count} that were recorded, by place in the plan.`;
  return (
    `The first ${shown} of ${count}, by place in the plan. The others stand in results.ndjson ` +
    'and in the CSV; the tables above count all of them.'
  );
}

interface ShownException {
  readonly exception: Exception;
  readonly hasLog: boolean;
}

/** A failure that repeats has the same log every time: the first few tell it. */
function withLogs(exceptions: readonly Exception[]): ShownException[] {
  const seen = new Map<string, number>();
  return exceptions.map((exception) => {
    const kind = `${exception.cellId} ${exception.failure?.code ?? ''}`;
    const before = seen.get(kind) ?? 0;
    seen.set(kind, before + 1);
    return { exception, hasLog: before < LOGS_PER_FAILURE_MAX };
  });
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

function exceptionBox({ exception, hasLog }: ShownException): Markup {
  const { kind, cellId, trialId, attempt, deviceId, failure, failedInstances } = exception;
  // One sandbox's failure is the trial's: said once.
  const isOwn = failedInstances.every((instance) => instance.failure?.message !== failure?.message);
  return html`<div class="exception">
    <h3><span class="tag">${kind}</span> ${cellId}</h3>
    <p class="quiet">
      ${trialId}, attempt ${attempt},
      ${deviceId}${exception.reportedBy === 'coordinator' ? ', reported by the coordinator' : ''}
    </p>
    ${isOwn && failure !== undefined ? failureText(failure) : undefined}
    ${exception.marks.map(
      ({ code, message }) => html`<p><code>${code}</code> ${printable(message)}</p>`,
    )}
    ${failedInstances.map((instance) => instanceText(instance, failedInstances.length, hasLog))}
    ${
      kind === 'unmeasured'
        ? html`<p>The result is valid, but a stamp that the latency needs is absent.</p>`
        : undefined
    }
  </div>`;
}

function instanceText(
  { index, failure, failedAfter, logTail }: FailedInstance,
  failed: number,
  hasLog: boolean,
): Markup {
  const which = index === 0 && failed === 1 ? '' : `Sandbox ${index}: `;
  return html`${failure === undefined ? undefined : failureText(failure, which)}
    <p>
      ${
        failedAfter === undefined
          ? `${which}no phase was reached.`
          : html`Last phase that was reached: <code>${failedAfter}</code>.`
      }
    </p>
    ${hasLog ? logText(logTail) : html`<p class="quiet">Its log stands in results.ndjson.</p>`}`;
}

function logText(logTail: string | undefined): Markup {
  if (logTail === undefined || logTail === '') {
    return html`<p class="quiet">The sandbox printed nothing.</p>`;
  }
  return html`<pre aria-label="End of the log">${printableLines(logTail)}</pre>`;
}

function failureText({ code, message, hint }: Failure, which = ''): Markup {
  return html`<p>
    ${which}<code>${code}</code> ${printable(message)}
    ${hint === undefined ? undefined : html`<span class="quiet">${printable(hint)}</span>`}
  </p>`;
}
