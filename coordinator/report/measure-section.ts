import type { RunSummary } from '../analysis/run-summary.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { MEASURE_CAPTION, MEASURE_HEADER, measureRows } from './measure-table.ts';
import { textTable } from './text-table.ts';

/** What procedures measured beside the phases, as a section of the page; undefined for nothing. */
export function measureSection({ measures }: Pick<RunSummary, 'measures'>): Markup | undefined {
  const table = textTable(MEASURE_CAPTION, MEASURE_HEADER, measureRows(measures ?? []));
  if (table === undefined) return undefined;
  return html`<section aria-labelledby="measures">
    <h2 id="measures">Measures</h2>
    ${table}
  </section>`;
}
