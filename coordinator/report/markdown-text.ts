/** What would be read as more than text anywhere (CommonMark 0.31, GFM, GitHub maths). */
const SPECIAL = /[\\`*_[\]~|$@]/g;

/** What begins a heading, list, quote or rule at the start of a line. */
const AT_START = /^(?:[#>+=-]|\d+(?=[.)]))/;

/**
 * Text as Markdown that shows it, in one line: nothing in it makes markup, a link or HTML. It is
 * for text within a line; see {@link markdownLine} for the start of one.
 */
export function markdownText(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(SPECIAL, '\\$&')
    .replaceAll(/&(?! )/g, '&amp;')
    .replaceAll(/<(?! )/g, '&lt;')
    .replaceAll('://', '\\://')
    .replaceAll(/\bwww\./gi, (found) => `${found.slice(0, -1)}\\.`);
}

/** A line of Markdown that begins with text, which must not begin a block of another kind. */
export function markdownLine(line: string): string {
  const trimmed = line.trim();
  return trimmed.replace(AT_START, (found) => (/\d/.test(found) ? `${found}\\` : `\\${found}`));
}

/** Text as it is, in a block of code: its fence is longer than any in the text. */
export function markdownCode(text: string): string {
  const fence = '`'.repeat(Math.max(3, longestTicks(text) + 1));
  return `${fence}\n${text.replace(/\n$/, '')}\n${fence}`;
}

/** Text as it is, in a line of code. */
export function markdownCodeSpan(text: string): string {
  const ticks = '`'.repeat(longestTicks(text) + 1);
  const pad = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  // A pipe ends a field of a table even in code.
  return ticks + pad + text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|') + pad + ticks;
}

function longestTicks(text: string): number {
  return [...text.matchAll(/`+/g)].reduce((most, [ticks]) => Math.max(most, ticks.length), 0);
}
