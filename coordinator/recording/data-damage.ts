/** A place of a run's folder that is not as it was written. */
export interface DamagedPlace {
  /** Name of the file in the run's folder. */
  readonly file: string;
  /** From 1. Absent if it is about the file as a whole. */
  readonly line?: number;
  readonly message: string;
}

/** What a reader must know of damage, in sentences. */
export interface DamageText {
  readonly message: string;
  readonly remedy: string;
}

/** Places that are kept in words; all are counted. */
const PLACES_MAX = 20;

/** Places that are named in one message. */
const PLACES_TOLD_MAX = 3;

/**
 * What was found damaged while a run was read, and how much was left out because of it. It is
 * filled while reading, and says all only when reading has come to its end.
 */
export class DataDamage {
  readonly #places: DamagedPlace[] = [];
  #linesLeftOut = 0;
  #count = 0;

  /** Lines that are not among what was read. */
  get linesLeftOut(): number {
    return this.#linesLeftOut;
  }

  /** All places, also those beyond the ones that are kept. */
  get count(): number {
    return this.#count;
  }

  /** The first places, 20 at most. */
  get places(): readonly DamagedPlace[] {
    return this.#places;
  }

  /** A line was left out. */
  leaveOut(file: string, line: number, message: string): void {
    this.#linesLeftOut += 1;
    this.#add({ file, line, message });
  }

  /** Something is wrong with a file as a whole. */
  tell(file: string, message: string): void {
    this.#add({ file, message });
  }

  /** The damage as a warning for people. Undefined if there is none. */
  describe(): DamageText | undefined {
    if (this.#count === 0) return undefined;
    const told = this.#places.slice(0, PLACES_TOLD_MAX).map(placeText);
    const more = this.#count - told.length;
    const places = more > 0 ? [...told, `and ${more} more`] : told;
    const lines = `${this.#linesLeftOut} damaged line${this.#linesLeftOut === 1 ? '' : 's'}`;
    const leftOut = this.#linesLeftOut === 0 ? '' : ` ${lines} left out, so results are missing.`;
    return {
      message: `The data of this run is damaged.${leftOut} ${places.join('; ')}.`,
      remedy: 'Restore the folder of the run from an archive or a copy, or run it again.',
    };
  }

  #add(place: DamagedPlace): void {
    this.#count += 1;
    if (this.#places.length < PLACES_MAX) this.#places.push(place);
  }
}

/** `results.ndjson line 3: its checksum does not match`. */
export function placeText({ file, line, message }: DamagedPlace): string {
  return `${file}${line === undefined ? '' : ` line ${line}`}: ${message}`;
}
