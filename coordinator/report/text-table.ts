import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { printable } from './printable.ts';

/** Text up to this length stays on one line. */
const SHORT = 14;

/** A table of text, one head per row. Undefined without rows. */
export function textTable(
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): Markup | undefined {
  if (rows.length === 0) return undefined;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads.map((head) => html`<th scope="col">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([first = '', ...rest]) =>
            html`<tr>
              <th scope="row">${printable(first)}</th>
              ${rest.map(textCell)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function textCell(text: string): Markup {
  return html`<td class="${text.length <= SHORT ? 'short' : ''}">${printable(text)}</td>`;
}
