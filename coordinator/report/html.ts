import { orderClauses } from '../analysis/order-statement.ts';
import type { Note, RunSummary } from '../analysis/run-summary.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';
import { burstTable, cellTable, fleetTable, hostTable, phaseTable } from './cell-tables.ts';
import { comparisonSection } from './comparison-section.ts';
import { devicePanels } from './device-panels.ts';
import { driftPlots } from './drift-plot.ts';
import { ecdfPlots } from './ecdf-plot.ts';
import { environmentSection } from './environment-section.ts';
import { exceptionSection, skippedSection } from './exception-sections.ts';
import { failurePlot } from './failure-plot.ts';
import { intervalPlot } from './interval-plot.ts';
import { html, trusted } from './markup.ts';
import type { Markup } from './markup.ts';
import { measureSection } from './measure-section.ts';
import { memorySection } from './memory-section.ts';
import { methodSection } from './method-section.ts';
import { phasePlots } from './phase-plot.ts';
import { printable } from './printable.ts';
import { rawDataSection } from './raw-data-section.ts';
import { startSection } from './start-section.ts';
import { studyForm } from './study-form.ts';
import { STYLE } from './style.ts';
import { telemetrySection } from './telemetry-section.ts';
import type { TrialTelemetry } from './telemetry-section.ts';
import { tableMarkup } from './text-table.ts';

/** Nothing is loaded from anywhere, and nothing runs: a report is safe to open and to send. */
const CONTENT_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** What a report can have besides the figures of its run. */
export interface ReportExtras {
  /** Samples around the median and the worst trials. Default: none. */
  readonly telemetry?: readonly TrialTelemetry[];
  /** Names of the files beside the page, which it links to. Default: those of every run. */
  readonly files?: readonly string[];
}

/**
 * The report of a run as one HTML page that stands by itself: the question and its answers, every
 * cell, plots of medians, distributions, hosts, failures, course, phases and starts, the method,
 * the environment, and every result that failed or is invalid, with its reason. Links to the raw
 * data are file names beside the page. Works for a run without results, and for one that still
 * goes on. Text from devices is shown, never interpreted.
 */
export function renderHtml(
  run: Run,
  plan: Plan,
  summary: RunSummary,
  { telemetry = [], files }: ReportExtras = {},
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
          ${notesSection(summary.notes)} ${comparisonSection(summary)} ${cellSection(summary)}
          ${measureSection(summary)} ${memorySection(summary)} ${distributionSection(summary)}
          ${courseSection(summary, plan)} ${phaseSection(summary)} ${telemetrySection(telemetry)}
          ${startSection(summary.start)} ${methodSection(run, plan, summary)}
          ${environmentSection(run, summary)} ${exceptionSection(summary)} ${skippedSection(plan)}
          ${rawDataSection(summary, files)}
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
  const tables = [hostTable(summary), fleetTable(summary)].filter((table) => table !== undefined);
  return html`<section aria-labelledby="cells">
    <h2 id="cells">Results by cell</h2>
    ${cellsMarkup(summary)} ${intervalPlot(summary)} ${failurePlot(summary)}
    ${tables.map((table) => tableMarkup(table))}
  </section>`;
}

function cellsMarkup(summary: RunSummary): Markup {
  const { cells, memory } = summary;
  if (cells.length === 0) return html`<p>The plan has no cell.</p>`;
  // Readings of memory have no latency: a table of dashes would say nothing.
  if (memory !== undefined && cells.every(({ attempts, unmeasured }) => attempts === unmeasured)) {
    return html`<p>${cells.length} cells with readings of memory, and without a latency.</p>`;
  }
  return html`${tableMarkup(cellTable(summary))}
  ${summary.metric === 'makespan' ? tableMarkup(burstTable(summary)) : undefined}`;
}

function distributionSection(summary: RunSummary): Markup {
  const panels = devicePanels(summary);
  return html`<section aria-labelledby="distributions">
      <h2 id="distributions">Distributions</h2>
      ${ecdfPlots(summary) ?? html`<p>No valid latency was measured.</p>`} ${studyForm(summary)}
    </section>
    ${
      panels === undefined
        ? undefined
        : html`<section aria-labelledby="hosts">
            <h2 id="hosts">Host by host</h2>
            ${panels}
          </section>`
    }`;
}

function courseSection(summary: RunSummary, plan: Plan): Markup | undefined {
  const plots = driftPlots(summary, plan);
  if (plots === undefined) return undefined;
  return html`<section aria-labelledby="course">
    <h2 id="course">Over the course of the run</h2>
    ${plots}
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
    ${plots} ${tableMarkup(phaseTable(summary))}
  </section>`;
}

function utc(atUtcMs: number): string {
  return `${new Date(atUtcMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
