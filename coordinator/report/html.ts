import { orderClauses } from '../analysis/order-statement.ts';
import type { Note, RunSummary } from '../analysis/run-summary.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';
import { burstTable, cellTable, hostTable, phaseTable } from './cell-tables.ts';
import { ecdfPlots } from './ecdf-plot.ts';
import { environmentSection } from './environment-section.ts';
import { exceptionSection, skippedSection } from './exception-sections.ts';
import { html, trusted } from './markup.ts';
import type { Markup } from './markup.ts';
import { methodSection } from './method-section.ts';
import { phasePlots } from './phase-plot.ts';
import { printable } from './printable.ts';
import { startSection } from './start-section.ts';
import { STYLE } from './style.ts';

/** Nothing is loaded from anywhere, and nothing runs: a report is safe to open and to send. */
const CONTENT_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * The report of a run as one HTML page that stands by itself: the question and its answer, the
 * method, every cell, the distributions, the phases, the start spread with its bound, the
 * environment, and every result that failed or is invalid, with its reason. Links to the raw
 * data are file names beside the page. Works for a run without results, and for one that still
 * goes on. Text from devices is shown, never interpreted.
 */
export function renderHtml(
  run: Run,
  plan: Plan,
  results: readonly TrialResult[],
  summary: RunSummary,
): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${CONTENT_POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <title>${run.experiment.experiment}: ${run.runId}</title>
        <style>
          ${trusted(STYLE)}
        </style>
      </head>
      <body>
        <header>${opening(run, summary)}</header>
        <main>
          ${notesSection(summary.notes)} ${cellSection(summary)} ${ecdfSection(summary)}
          ${phaseSection(summary)} ${startSection(summary.start)}
          ${methodSection(run, plan, summary)} ${environmentSection(run, results, summary)}
          ${exceptionSection(run, results, summary)} ${skippedSection(plan)}
          ${rawDataSection(summary)}
        </main>
        <footer>
          <p>Lockstep ${run.coordinatorVersion}. Times are measured, never modelled.</p>
        </footer>
      </body>
    </html> `;
  return page.markup;
}

function opening(run: Run, summary: RunSummary): Markup {
  const { planned, done, stoodDown } = summary.trials;
  const when = run.startedAtUtcMs ?? run.submittedAtUtcMs;
  return html`<p class="eyebrow">
      ${run.experiment.experiment} · ${run.runId} · ${utc(when)} · ${summary.state}, ${done} of
      ${planned} trials done${stoodDown > 0 ? `, ${stoodDown} stood down` : ''}
    </p>
    <h1>${printable(run.experiment.question)}</h1>
    <div class="answer">${orderClauses(summary).map((clause) => html`<p>${clause}.</p>`)}</div>`;
}

function notesSection(notes: readonly Note[]): Markup | undefined {
  if (notes.length === 0) return undefined;
  return html`<section aria-labelledby="notes">
    <h2 id="notes">Before you use these figures</h2>
    <ul class="notes">
      ${notes.map(
        ({ level, message, remedy }) =>
          html`<li class="${level}">
            ${level === 'warning' ? html`<strong>Warning.</strong>` : undefined}
            ${printable(message)} <span class="quiet">${printable(remedy)}</span>
          </li>`,
      )}
    </ul>
  </section>`;
}

function cellSection(summary: RunSummary): Markup {
  return html`<section aria-labelledby="cells">
    <h2 id="cells">Results by cell</h2>
    ${summary.cells.length === 0 ? html`<p>The plan has no cell.</p>` : cellTable(summary)}
    ${summary.metric === 'makespan' ? burstTable(summary) : undefined} ${hostTable(summary)}
  </section>`;
}

function ecdfSection(summary: RunSummary): Markup {
  const plots = ecdfPlots(summary);
  return html`<section aria-labelledby="distributions">
    <h2 id="distributions">Distributions</h2>
    ${plots ?? html`<p>No valid latency was measured.</p>`}
    ${
      plots === undefined
        ? undefined
        : html`<p class="quiet">
            Each step is one value (one trial on one host). The median is where a line crosses 50 %.
            ${
              summary.metric === 'lateness'
                ? 'The steeper a line, the steadier the starts.'
                : 'The farther left a line lies, the faster the sandbox; the steeper, the steadier.'
            }
          </p>`
    }
  </section>`;
}

function phaseSection(summary: RunSummary): Markup {
  const plots = phasePlots(summary);
  if (plots === undefined) {
    return html`<section aria-labelledby="phases">
      <h2 id="phases">Where the time goes</h2>
      <p>
        ${
          summary.metric === 'lateness'
            ? 'A no-op starts no sandbox, so it has no phases.'
            : 'No valid result has phases.'
        }
      </p>
    </section>`;
  }
  return html`<section aria-labelledby="phases">
    <h2 id="phases">Where the time goes</h2>
    ${plots}
    <p class="quiet">
      Medians of the single phases; their sum need not be the median of the whole. A phase that a
      sandbox does not show is absent, not 0. All instants are stamped on the host; a guest's when
      its marker arrives.
      ${
        summary.metric === 'warm-call'
          ? 'The bars show the call, which is what was measured; the start before it stands in ' +
            'the table, and the wait for the other devices in its column ready to call.'
          : undefined
      }
    </p>
    ${phaseTable(summary)}
  </section>`;
}

function rawDataSection(summary: RunSummary): Markup {
  const { read, distinct, duplicates, superseded, conflicting } = summary.results;
  return html`<section aria-labelledby="raw">
    <h2 id="raw">Raw data</h2>
    <p>Beside this page; everything above is computed from these files.</p>
    <ul>
      <li><a href="results.ndjson">results.ndjson</a>: one result per line, instants in ns</li>
      <li><a href="plan.json">plan.json</a>: the ordered trials</li>
      <li><a href="run.json">run.json</a>: the experiment, the devices and how the run ended</li>
    </ul>
    <p class="quiet">
      ${read} results read, ${distinct} distinct; ${duplicates} exact copies, ${superseded}
      superseded and ${conflicting} conflicting left out.
    </p>
  </section>`;
}

function utc(atUtcMs: number): string {
  return `${new Date(atUtcMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
