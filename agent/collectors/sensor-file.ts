import { readFile } from 'node:fs/promises';

const DEADLINE_MS = 1_000;

/**
 * A file of sysfs with one number that may take its time: behind it is a sensor on a slow bus, or
 * firmware. Read beside the event loop.
 */
export class SensorFile {
  readonly path: string;
  #going: Promise<number | undefined> | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Reads the number. Undefined if there is none now or it does not come within a second; it is not
   * asked for again while an earlier reading hangs.
   */
  async read(): Promise<number | undefined> {
    if (this.#going !== undefined) return undefined;
    const going = readNumber(this.path);
    this.#going = going;
    void going.then(() => (this.#going = undefined));
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(late.resolve, DEADLINE_MS, undefined);
    try {
      return await Promise.race([going, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function readNumber(path: string): Promise<number | undefined> {
  try {
    const text = (await readFile(path, 'latin1')).trim();
    return /^-?\d{1,19}$/.test(text) ? Number(text) : undefined;
  } catch {
    // A sensor that is asleep, broken or gone says so by an error.
    return undefined;
  }
}
