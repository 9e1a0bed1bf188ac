/** HTML that may be put into a page as it stands. Only {@link html} and {@link trusted} make it. */
export interface Markup {
  readonly markup: string;
}

/** What may be put into a template; text is escaped, absent is nothing. */
export type Insertable = string | number | Markup | readonly Markup[] | undefined;

/**
 * A template whose values are escaped unless they are markup already, so that text from a device
 * can't become part of the page by oversight.
 */
export function html(parts: TemplateStringsArray, ...values: readonly Insertable[]): Markup {
  let markup = parts[0] ?? '';
  for (const [index, value] of values.entries()) {
    markup += inserted(value) + (parts[index + 1] ?? '');
  }
  return { markup };
}

/** Marks HTML or SVG of our own making as such. Never for text from elsewhere. */
export function trusted(markup: string): Markup {
  return { markup };
}

/** Text as HTML that shows it, also within a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

function inserted(value: Insertable): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return String(value);
  return 'markup' in value ? value.markup : value.map(({ markup }) => markup).join('');
}
