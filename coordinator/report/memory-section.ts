import type { RunSummary } from '../analysis/run-summary.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { MEMORY_CAPTION, MEMORY_HEADER, memoryRows } from './memory-table.ts';
import { textTable } from './text-table.ts';

/** The slopes of the memory as a section of the page; undefined if nothing tells of memory. */
export function memorySection({ memory }: Pick<RunSummary, 'memory'>): Markup | undefined {
  const table = textTable(MEMORY_CAPTION, MEMORY_HEADER, memoryRows(memory ?? []));
  if (table === undefined) return undefined;
  return html`<section aria-labelledby="memory">
    <h2 id="memory">Memory per sandbox</h2>
    ${table}
  </section>`;
}
