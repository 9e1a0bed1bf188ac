import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { printable } from './printable.ts';

/** Text up to this length stays on one line. */
const SHORT = 14;

/** What stands in a field without a figure. */
const ABSENT = '–';

/** A field of a table. Absent is a dash, never 0. */
export type Field = string | undefined | { readonly text: string; readonly isAlarming: boolean };

/** A table as data; its rows begin with their heads. */
export interface ReportTable {
  /** What it is, for people who can't see it. Default: the caption. */
  readonly name?: string;
  readonly caption: string;
  readonly heads: readonly string[];
  /** True if all fields after the heads of the rows are figures. */
  readonly isNumeric?: boolean;
  readonly rows: readonly (readonly [head: string, ...fields: Field[]])[];
}

/** A table of the page, in a box that can be scrolled by keyboard. */
export function tableMarkup({ name, caption, heads, isNumeric, rows }: ReportTable): Markup {
  const isFigures = isNumeric === true;
  const headClass = isFigures ? 'number' : '';
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${name ?? caption}">
    <table>
      <caption>
        <span>${caption}</span>
      </caption>
      <thead>
        <tr>
          ${heads.map(
            (head, index) =>
              html`<th scope="col" class="${index === 0 ? '' : headClass}">${head}</th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([first, ...rest]) =>
            html`<tr>
              <th scope="row">${printable(first)}</th>
              ${rest.map((field) => fieldMarkup(field, isFigures))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** A table of text, one head per row. Undefined without rows. */
export function textTable(
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): Markup | undefined {
  if (rows.length === 0) return undefined;
  const named = rows.map(([first = '', ...rest]) => [first, ...rest] as const);
  return tableMarkup({ caption, heads, rows: named });
}

function fieldMarkup(field: Field, isFigure: boolean): Markup {
  const text = typeof field === 'object' ? field.text : (field ?? ABSENT);
  const isAlarming = typeof field === 'object' && field.isAlarming;
  const kind = isFigure ? 'number' : text.length <= SHORT ? 'short' : '';
  return html`<td class="${isAlarming ? `${kind} bad` : kind}">${printable(text)}</td>`;
}
