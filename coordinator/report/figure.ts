import { html } from './markup.ts';
import type { Markup } from './markup.ts';

/** A plot with all that it needs to be read. */
export interface Figure {
  readonly title: string;
  readonly svg: Markup;
  /** Absent if the figures around it share one, or if it needs none. */
  readonly legend?: Markup | undefined;
  readonly caption?: string | undefined;
  /** True if it takes the whole width of the page. Default false. */
  readonly isWide?: boolean;
}

/** A figure of the page; where the screen is too narrow for it, it scrolls by itself. */
export function figureMarkup({ title, svg, legend, caption, isWide }: Figure): Markup {
  return html`<figure class="${isWide === true ? 'wide' : ''}">
    <h3>${title}</h3>
    ${legend}
    <div class="plot" tabindex="0" role="group" aria-label="Plot: ${title}">${svg}</div>
    ${caption === undefined ? undefined : html`<figcaption>${caption}</figcaption>`}
  </figure>`;
}

/** What figures side by side share. */
export interface GroupFrame {
  readonly legend?: Markup | undefined;
  readonly caption: string;
  /** True for three in a row of the page rather than two. Default false. */
  readonly isSmall?: boolean;
}

/** Figures side by side that share a legend and a caption. */
export function figureGroup(
  figures: readonly Figure[],
  { legend, caption, isSmall }: GroupFrame,
): Markup {
  return html`<div class="figures">
    ${legend}
    <div class="multiples${isSmall === true ? ' small' : ''}">${figures.map(figureMarkup)}</div>
    <p class="quiet">${caption}</p>
  </div>`;
}
