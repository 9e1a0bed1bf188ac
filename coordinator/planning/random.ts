const MASK_64 = 0xffff_ffff_ffff_ffffn;
const GAMMA = 0x9e37_79b9_7f4a_7c15n;

/**
 * A seeded source of random numbers: SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable
 * pseudorandom number generators", OOPSLA 2014). It is for orders that must be repeated from a
 * seed, on any machine and by any release; never for secrets.
 */
export class Random {
  #state: bigint;

  constructor(seed: number | bigint) {
    this.#state = BigInt(seed) & MASK_64;
  }

  /** The next 64 bits, uniformly distributed. */
  nextBits(): bigint {
    this.#state = (this.#state + GAMMA) & MASK_64;
    let bits = this.#state;
    bits = ((bits ^ (bits >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & MASK_64;
    bits = ((bits ^ (bits >> 27n)) * 0x94d0_49bb_1331_11ebn) & MASK_64;
    return bits ^ (bits >> 31n);
  }

  /** A whole number from 0 to `bound - 1`, each as likely as the other. */
  nextBelow(bound: number): number {
    if (!Number.isSafeInteger(bound) || bound < 1) {
      throw new RangeError(`the bound must be a whole number from 1, but is ${bound}`);
    }
    const size = BigInt(bound);
    // The lowest values are drawn again, so that what is left divides evenly by the bound.
    const refused = (MASK_64 + 1n) % size;
    for (;;) {
      const bits = this.nextBits();
      if (bits >= refused) return Number(bits % size);
    }
  }
}

/** A copy of a list in random order (Fisher and Yates; D. Knuth, TAOCP volume 2, algorithm P). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const chosen = random.nextBelow(last + 1);
    const [atLast, atChosen] = [copy[last], copy[chosen]];
    // Both indices lie within the copy, so neither value is missing.
    copy[last] = atChosen as T;
    copy[chosen] = atLast as T;
  }
  return copy;
}
