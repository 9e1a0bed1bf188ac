import { once } from 'node:events';
import { styleText } from 'node:util';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';

type Style = Parameters<typeof styleText>[0];

/**
 * Where a command writes: results to stdout, all else to stderr. Colours and the live line appear
 * on a terminal only, and never when NO_COLOR is set or --no-color was given.
 */
export class Output {
  readonly isTerminal = process.stderr.isTTY;
  readonly hasColour: boolean;
  #live = '';

  constructor(options: { colour: boolean }) {
    this.hasColour =
      options.colour && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb';
  }

  /** Columns of the terminal; 100 where there is none. */
  get width(): number {
    return process.stdout.columns > 0 ? process.stdout.columns : 100;
  }

  /** True if results go to a terminal and may be coloured. */
  get resultsHaveColour(): boolean {
    return this.hasColour && process.stdout.isTTY;
  }

  /** Writes a result. */
  result(text: string): void {
    this.clearLive();
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** Writes a result that comes in pieces, no faster than it is read. */
  async resultPieces(pieces: AsyncIterable<string>): Promise<void> {
    this.clearLive();
    for await (const piece of pieces) {
      if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
    }
  }

  /** Writes a line for people. */
  say(text: string): void {
    this.clearLive();
    process.stderr.write(`${text}\n`);
  }

  /** Writes a line that the next one replaces; nothing where there is no terminal. */
  live(text: string): void {
    if (!this.isTerminal) return;
    const columns = process.stderr.columns > 0 ? process.stderr.columns : 80;
    this.#live = text.slice(0, columns - 1);
    process.stderr.write(`\r\u001b[2K${this.#live}`);
  }

  /** Removes the live line. */
  clearLive(): void {
    if (this.#live === '') return;
    this.#live = '';
    process.stderr.write('\r\u001b[2K');
  }

  /** Writes what failed and what to do next. */
  fail(error: unknown): void {
    const code = error instanceof LockstepError ? ` [${error.code}]` : '';
    const isExpected = error instanceof LockstepError;
    const text = isExpected ? error.message : errorMessageOf(error);
    this.say(`${this.style('red', 'error')}${code}: ${text}`);
    if (isExpected && error.hint !== undefined) this.say(`  hint: ${error.hint}`);
    if (!isExpected && error instanceof Error) this.say(error.stack ?? '');
  }

  /** Colours a text for stderr where that is wanted. */
  style(style: Style, text: string): string {
    if (!this.hasColour || !this.isTerminal) return text;
    return styleText(style, text, { validateStream: false });
  }
}
