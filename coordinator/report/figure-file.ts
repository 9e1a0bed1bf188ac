import { escapeHtml } from './markup.ts';
import { hasClass, nameOf, partsOf } from './page-nodes.ts';
import type { PageElement } from './page-nodes.ts';
import { LIGHT_COLOURS } from './style.ts';

const MARGIN = 12;
const TITLE_HEIGHT = 26;
const LEGEND_LINE_HEIGHT = 20;

/** Width of a letter of the legend and the title, at most, as a share of the font's size. */
const LETTER_WIDTH = 0.62;
const LEGEND_FONT_SIZE = 12;
const TITLE_FONT_SIZE = 15;

/**
 * A figure of the page as an SVG file that stands by itself: title, legend and plot on a light
 * ground, in plain colours that programs without style sheets show too.
 *
 * @param figure a `figure` element of a report
 */
export function figureFile(figure: PageElement): string {
  const svg = [...figure.querySelectorAll('svg')].find(
    (one) => one.getAttribute('aria-hidden') !== 'true' && one.closest('.legend') === null,
  );
  if (svg === undefined) throw new Error('a figure of a report has a plot');
  const title = figureTitle(figure);
  const plotWidth = Number(svg.getAttribute('width'));
  const plotHeight = Number(svg.getAttribute('height'));
  const titleWidth = title.length * TITLE_FONT_SIZE * LETTER_WIDTH;
  const width = 2 * MARGIN + Math.ceil(Math.max(plotWidth, titleWidth));
  const legend = legendOf(figure, width - 2 * MARGIN);
  const plotTop = MARGIN + TITLE_HEIGHT + legend.height;
  const height = plotTop + plotHeight + MARGIN;
  const description = svg.getAttribute('aria-description') ?? '';
  const label = svg.getAttribute('aria-label') ?? title;
  const markup = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
      `viewBox="0 0 ${width} ${height}" color="var(--text)" fill="currentColor" ` +
      'font-family="system-ui, DejaVu Sans, sans-serif" font-size="12" role="img" ' +
      'aria-labelledby="title description">',
    `<title id="title">${escapeHtml(label)}</title>`,
    `<desc id="description">${escapeHtml(description)}</desc>`,
    `<rect width="${width}" height="${height}" fill="var(--page)"/>`,
    `<text x="${MARGIN}" y="${MARGIN + 14}" font-size="${TITLE_FONT_SIZE}" ` +
      `font-weight="600">${escapeHtml(title)}</text>`,
    ...legend.entries,
    `<svg x="${MARGIN}" y="${plotTop}" width="${plotWidth}" height="${plotHeight}" ` +
      `viewBox="${svg.getAttribute('viewBox') ?? ''}" overflow="visible" text-anchor="middle">`,
    withoutStyle(svg.innerHTML),
    '</svg>',
    '</svg>',
    '',
  ].join('\n');
  return markup.replaceAll(
    /var\(--([\w-]+)\)/g,
    (_, name: string) => LIGHT_COLOURS[name] ?? '#000',
  );
}

/** The title of a figure of the page. */
export function figureTitle(figure: PageElement): string {
  return (figure.querySelector('h3')?.textContent ?? '').replaceAll(/\s+/g, ' ').trim();
}

/** A legend belongs to the figure or to the group that it stands in. */
function legendOf(
  figure: PageElement,
  width: number,
): { readonly entries: readonly string[]; readonly height: number } {
  const group = [...(figure.closest('.figures')?.children ?? [])];
  const list = figure.querySelector('.legend') ?? group.find((one) => hasClass(one, 'legend'));
  if (list === undefined) return { entries: [], height: 0 };
  let x = 0;
  let line = 0;
  const entries = [...list.children].map((entry) => {
    const swatch = [...entry.children].find((one) => nameOf(one) === 'svg');
    // A swatch has a style sheet of its own, which is text too.
    const texts = partsOf(entry).filter((part) => typeof part === 'string');
    const name = texts.join('').replaceAll(/\s+/g, ' ').trim();
    const swatchWidth = Number(swatch?.getAttribute('width') ?? 0);
    const entryWidth = swatchWidth + 24 + name.length * LEGEND_FONT_SIZE * LETTER_WIDTH;
    if (x > 0 && x + entryWidth > width) {
      x = 0;
      line += 1;
    }
    const left = MARGIN + x;
    const middle = MARGIN + TITLE_HEIGHT + line * LEGEND_LINE_HEIGHT + 7;
    x += entryWidth;
    const swatchHeight = Number(swatch?.getAttribute('height') ?? 0);
    return (
      `<svg x="${left}" y="${middle - swatchHeight / 2}" width="${swatchWidth}" ` +
      `height="${swatchHeight}">${withoutStyle(swatch?.innerHTML ?? '')}</svg>` +
      `<text x="${left + swatchWidth + 6}" y="${middle + 4}">${escapeHtml(name)}</text>`
    );
  });
  return { entries, height: (line + 1) * LEGEND_LINE_HEIGHT };
}

function withoutStyle(markup: string): string {
  return markup.replaceAll(/<style>[\s\S]*?<\/style>/g, '').replaceAll('&nbsp;', '&#160;');
}
