import { html, trusted } from './markup.ts';
import type { Markup } from './markup.ts';

/** How a series looks, in plots and legend alike. */
export interface SeriesLook {
  /** A CSS colour. */
  readonly colour: string;
  /** Lengths of dashes and gaps. Absent for a solid line. */
  readonly dash?: string;
}

const DASHES = [undefined, '7 3', '2 3', '9 3 2 3', '4 2', '12 4'] as const;

/**
 * The look of the series with this number: colour and dash differ for the first six, and one of
 * them for the first 36.
 */
export function seriesLook(index: number): SeriesLook {
  const place = index % DASHES.length;
  const dash = DASHES[(index + Math.floor(index / DASHES.length)) % DASHES.length];
  return { colour: `var(--s${place + 1})`, ...(dash === undefined ? {} : { dash }) };
}

/** A legend of lines. */
export function lineLegend(
  entries: readonly { readonly name: string; look: SeriesLook }[],
): Markup {
  return html`<ul class="legend">
    ${entries.map(({ name, look }) => {
      const dash = look.dash === undefined ? '' : ` stroke-dasharray="${look.dash}"`;
      const swatch = trusted(
        '<svg width="36" height="10" aria-hidden="true"><line x1="0" x2="36" y1="5" y2="5" ' +
          `stroke="${look.colour}" stroke-width="2.5"${dash}/></svg>`,
      );
      return html`<li>${swatch}${name}</li>`;
    })}
  </ul>`;
}

/** A legend of filled areas. */
export function areaLegend(entries: readonly { readonly name: string; colour: string }[]): Markup {
  return html`<ul class="legend">
    ${entries.map(({ name, colour }) => {
      const swatch = trusted(
        '<svg width="14" height="14" aria-hidden="true">' +
          `<rect width="14" height="14" fill="${colour}"/></svg>`,
      );
      return html`<li>${swatch}${name}</li>`;
    })}
  </ul>`;
}
