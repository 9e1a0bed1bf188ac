import type { RunSummary } from '../analysis/run-summary.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';

/** What the files of a run hold, in the order of the list. */
const FILE_TEXTS: Readonly<Record<string, string>> = {
  'results.ndjson': 'one result per line, instants in ns',
  'results.parquet': 'one row per result',
  'instances.parquet': 'one row per sandbox, with the instants of its phases',
  'samples.parquet': 'what was sampled around each trial',
  'samples.ndjson': 'the same as the devices sent it, one block per line',
  'plan.json': 'the ordered trials',
  'run.json': 'the experiment, the devices and how the run ended',
  'experiment.yaml': 'the experiment as it was submitted',
  'events.ndjson': 'the ledger: what happened to each trial, and when',
  'provenance.json': 'where an imported run came from',
};

/** The files that every run has. */
const FILES_OF_EVERY_RUN = ['results.ndjson', 'plan.json', 'run.json'];

/** An archive holds everything else. */
const ARCHIVE = /^[\w.-]+\.tar(\.\w+)?$/;

/**
 * The files beside the page, and how many results were read from them.
 *
 * @param files names of what is there; others than those known are not linked
 */
export function rawDataSection(
  { results }: Pick<RunSummary, 'results'>,
  files: readonly string[] = FILES_OF_EVERY_RUN,
): Markup {
  const { read, distinct, duplicates, superseded, conflicting } = results;
  const known = Object.entries(FILE_TEXTS).filter(([name]) => files.includes(name));
  const archives = files.filter((name) => ARCHIVE.test(name)).map((name) => [name, 'all in one']);
  return html`<section aria-labelledby="raw">
    <h2 id="raw">Raw data</h2>
    <p>Beside this page; everything above is computed from these files.</p>
    <ul>
      ${[...known, ...archives].map(
        ([name = '', text]) => html`<li><a href="${name}">${name}</a>: ${text}</li>`,
      )}
    </ul>
    <p class="quiet">
      ${read} results read, ${distinct} distinct; ${duplicates} exact copies, ${superseded}
      superseded and ${conflicting} conflicting left out.
    </p>
  </section>`;
}
