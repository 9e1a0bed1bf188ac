interface Range {
  from: number;
  to: number;
}

/** How a consumer stood when this process began with it. */
export interface ConsumerStart {
  /** The last sequence that was given to anybody; 0 if none. */
  readonly givenSequence: number;
  /** Given, and not acknowledged. */
  readonly unacknowledged: number;
}

/**
 * Counts the messages that a stream dropped before a consumer had them. A gap in the sequence is
 * only a suspicion, because a message on a cut connection comes again later; it is missed once the
 * stream begins behind it.
 */
export class MissedSequences {
  readonly #startedAt: number;
  #highest: number;
  #gaps: Range[] = [];
  /** Given to an earlier process that did not acknowledge them: they will come again, or not. */
  #owed: number;
  #missed = 0;

  constructor({ givenSequence, unacknowledged }: ConsumerStart) {
    this.#startedAt = givenSequence;
    this.#highest = givenSequence;
    this.#owed = unacknowledged;
  }

  /** Messages that can never come. */
  get missed(): number {
    return this.#missed;
  }

  /** Messages that an earlier process was given, and that have not come here yet. */
  get owed(): number {
    return this.#owed;
  }

  /** True if an earlier process was given this one. */
  isOwed(sequence: number): boolean {
    return sequence <= this.#startedAt;
  }

  /** A message came for the first time in this process. */
  note(sequence: number): void {
    if (sequence > this.#highest) {
      if (sequence > this.#highest + 1) {
        this.#gaps.push({ from: this.#highest + 1, to: sequence - 1 });
      }
      this.#highest = sequence;
    } else if (sequence <= this.#startedAt) {
      this.#owed = Math.max(0, this.#owed - 1);
    } else {
      this.#gaps = this.#gaps.flatMap(({ from, to }) => {
        if (sequence < from || sequence > to) return [{ from, to }];
        const parts = [
          { from, to: sequence - 1 },
          { from: sequence + 1, to },
        ];
        return parts.filter((part) => part.from <= part.to);
      });
    }
  }

  /** The stream begins here now. */
  settle(firstSequence: number): void {
    if (firstSequence > this.#startedAt) {
      this.#missed += this.#owed;
      this.#owed = 0;
    }
    this.#gaps = this.#gaps.flatMap(({ from, to }) => {
      const gone = Math.min(to, firstSequence - 1) - from + 1;
      if (gone <= 0) return [{ from, to }];
      this.#missed += gone;
      return firstSequence > to ? [] : [{ from: firstSequence, to }];
    });
  }
}
