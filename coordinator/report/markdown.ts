import { figureFile, figureTitle } from './figure-file.ts';
import { markdownCode, markdownCodeSpan, markdownLine, markdownText } from './markdown-text.ts';
import { hasClass, nameOf, parsePage, partsOf } from './page-nodes.ts';
import type { PageElement } from './page-nodes.ts';

/** A report as files: a text and the figures that it shows. */
export interface MarkdownReport {
  /** Ends with a line end. */
  readonly text: string;
  readonly figures: readonly { readonly name: string; readonly svg: string }[];
}

/** Longest name of a figure's file, without its ending. */
const NAME_MAX = 64;

/**
 * The report of a run as Markdown (CommonMark with the tables of GFM), with each plot in a file of
 * its own below `figures/`. It is the page in another notation: one source has every sentence and
 * table. Text from devices is escaped.
 *
 * @param page the whole page, as `renderHtml` gives it
 */
export function renderMarkdown(page: string): MarkdownReport {
  const figures: { name: string; svg: string }[] = [];
  const nameFigure = (figure: PageElement): string => {
    const section = figure.closest('section')?.getAttribute('aria-labelledby') ?? 'report';
    const base = slugOf(`${section} ${figureTitle(figure)}`);
    const same = figures.filter(({ name }) => name === base || name.startsWith(`${base}--`));
    const name = same.length === 0 ? base : `${base}--${same.length + 1}`;
    figures.push({ name, svg: figureFile(figure) });
    return `figures/${name}.svg`;
  };
  const blocks = partsOf(parsePage(page)).flatMap((part) => blocksOf(part, nameFigure));
  return {
    text: `${blocks.filter((block) => block !== '').join('\n\n')}\n`,
    figures: figures.map(({ name, svg }) => ({ name: `${name}.svg`, svg })),
  };
}

type NameFigure = (figure: PageElement) => string;

/** The blocks that an element becomes; text between blocks is a paragraph. */
function blocksOf(node: PageElement | string, nameFigure: NameFigure): string[] {
  if (typeof node === 'string') return [markdownLine(markdownText(node))];
  const inner = (): string[] => partsOf(node).flatMap((part) => blocksOf(part, nameFigure));
  switch (nameOf(node)) {
    case 'h1':
      return [`# ${inlineOf(node).trim()}`];
    case 'h2':
      return [`## ${inlineOf(node).trim()}`];
    case 'h3':
    case 'summary':
      return [`### ${inlineOf(node).trim()}`];
    case 'p':
      return [markdownLine(inlineOf(node))];
    case 'ul':
      return hasClass(node, 'legend') ? [] : [listOf(node)];
    case 'dl':
      return [termsOf(node)];
    case 'pre':
      return [markdownCode(node.textContent)];
    case 'table':
      return tableOf(node);
    case 'figure':
      return figureOf(node, nameFigure);
    default:
      return inner();
  }
}

function figureOf(figure: PageElement, nameFigure: NameFigure): string[] {
  const title = markdownText(figureTitle(figure));
  const caption = figure.querySelector('figcaption');
  return [
    `![${title}](${nameFigure(figure)})`,
    `**${title}.** ${caption === null ? '' : inlineOf(caption)}`.trim(),
  ];
}

function listOf(list: PageElement): string {
  return [...list.children].map((item) => `- ${markdownLine(inlineOf(item))}`).join('\n');
}

function termsOf(list: PageElement): string {
  return [...list.children]
    .map((child) =>
      nameOf(child) === 'dt' ? `- **${inlineOf(child).trim()}**: ` : `${inlineOf(child).trim()}\n`,
    )
    .join('')
    .trimEnd();
}

function tableOf(table: PageElement): string[] {
  const caption = table.querySelector('caption');
  const heads = [...table.querySelectorAll('thead th')];
  const rows = [...table.querySelectorAll('tbody tr')].map((row) => [...row.children]);
  const line = (fields: readonly string[]): string =>
    `| ${fields.map((field) => field.trim()).join(' | ')} |`;
  return [
    ...(caption === null ? [] : [markdownLine(inlineOf(caption))]),
    [
      line(heads.map(inlineOf)),
      line(heads.map((head) => (hasClass(head, 'number') ? '---:' : '---'))),
      ...rows.map((fields) => line(fields.map(inlineOf))),
    ].join('\n'),
  ];
}

/** What stands in a line. White space at its ends separates from what stands beside it. */
function inlineOf(element: PageElement): string {
  return partsOf(element)
    .map((part) => {
      if (typeof part === 'string') return markdownText(part);
      switch (nameOf(part)) {
        case 'strong':
          return `**${inlineOf(part).trim()}**`;
        case 'code':
          return markdownCodeSpan(part.textContent);
        case 'a':
          return `[${inlineOf(part).trim()}](${part.getAttribute('href') ?? ''})`;
        default:
          return inlineOf(part);
      }
    })
    .join('')
    .replaceAll(/\s+/g, ' ');
}

function slugOf(text: string): string {
  const words = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-');
  return words.slice(0, NAME_MAX).replaceAll(/^-+|-+$/g, '');
}
