/** Escape, bracket, numbers, m (ECMA-48, SGR). */
const TERMINAL_COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, 'g');

/**
 * Text from elsewhere for one line of a terminal or page: line ends become spaces, and control
 * and invisible formatting characters a visible mark, so that they can't steer what shows them.
 */
export function printable(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\p{Cc}\p{Cf}]/gu, '\uFFFD');
}

/** The same for text of several lines: line ends and tabs stay, colours of a terminal go. */
export function printableLines(text: string): string {
  return text
    .replaceAll(TERMINAL_COLOUR, '')
    .replaceAll(/\r\n/g, '\n')
    .replaceAll(/(?![\n\t])[\p{Cc}\p{Cf}]/gu, '\uFFFD');
}
