import * as Plot from '@observablehq/plot';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { decorativeSvg } from './plot-svg.ts';

/** How the points of a series look. */
export interface PointLook {
  /** A CSS colour. */
  readonly colour: string;
  /** A symbol of the plot library. */
  readonly symbol: (typeof SYMBOLS)[number];
}

const SYMBOLS = ['circle', 'plus', 'triangle2', 'square2', 'times', 'diamond2'] as const;

/**
 * The look of the series with this number: colour and symbol differ for the first six, and one of
 * them for the first 36.
 */
export function pointLook(index: number): PointLook {
  const place = index % SYMBOLS.length;
  const shifted = (index + Math.floor(index / SYMBOLS.length)) % SYMBOLS.length;
  return { colour: `var(--s${place + 1})`, symbol: SYMBOLS[shifted] ?? 'circle' };
}

/** A legend of points. */
export function pointLegend(
  entries: readonly { readonly name: string; look: PointLook }[],
): Markup {
  return html`<ul class="legend">
    ${entries.map(({ name, look }) => html`<li>${swatch(look)}${name}</li>`)}
  </ul>`;
}

function swatch({ colour, symbol }: PointLook): Markup {
  return decorativeSvg({
    width: 14,
    height: 14,
    margin: 0,
    axis: null,
    x: { domain: [0, 1] },
    y: { domain: [0, 1] },
    marks: [Plot.dot([0.5], { x: [0.5], y: [0.5], stroke: colour, symbol, r: 4 })],
  });
}
