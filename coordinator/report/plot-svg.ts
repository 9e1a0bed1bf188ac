import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { trusted } from './markup.ts';
import type { Markup } from './markup.ts';

/** What every plot says of itself. */
export interface PlotSvgOptions extends Plot.PlotOptions {
  /** What is shown, for people who can't see it. */
  readonly ariaLabel: string;
  /** What it shows in words: the figures that matter. */
  readonly ariaDescription: string;
}

/** A plot as SVG that stands by itself, drawn without a browser. */
export function plotSvg(options: PlotSvgOptions): Markup {
  const svg = drawn(options);
  svg.setAttribute('role', 'img');
  return trusted(withoutNamesOfMarks(svg.outerHTML));
}

/** A drawing that only repeats what the text beside it says, hidden from those who can't see it. */
export function decorativeSvg(options: Plot.PlotOptions): Markup {
  const svg = drawn(options);
  svg.setAttribute('aria-hidden', 'true');
  return trusted(withoutNamesOfMarks(svg.outerHTML));
}

/** The plot library names groups of shapes, which have no role: the plot has one name, its own. */
function withoutNamesOfMarks(markup: string): string {
  const headEnd = markup.indexOf('>') + 1;
  return markup.slice(0, headEnd) + markup.slice(headEnd).replaceAll(' aria-label=', ' data-mark=');
}

function drawn(options: Plot.PlotOptions): SvgElement {
  const parse: (text: string) => { readonly document: unknown } = parseHTML;
  const page = parse('<!doctype html><html></html>');
  const svg: unknown = Plot.plot({
    ...options,
    document: page.document,
    style: { background: 'transparent', fontSize: '12px' },
  });
  if (!isSvg(svg)) throw new Error('a plot without legend or title is one SVG element');
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return svg;
}

interface SvgElement {
  readonly outerHTML: string;
  setAttribute(name: string, value: string): void;
}

function isSvg(value: unknown): value is SvgElement {
  return (
    typeof value === 'object' &&
    value !== null &&
    'outerHTML' in value &&
    typeof value.outerHTML === 'string' &&
    value.outerHTML.startsWith('<svg') &&
    'setAttribute' in value &&
    typeof value.setAttribute === 'function'
  );
}
