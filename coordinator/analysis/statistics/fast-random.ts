/**
 * A seeded source of random numbers for resampling, where millions are drawn: xoshiro128** (D.
 * Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47(4), 2021),
 * with its state filled by SplitMix32. Never for secrets.
 */
export class FastRandom {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    let next = seed >>> 0;
    for (let index = 0; index < 4; index += 1) {
      next = (next + 0x9e37_79b9) >>> 0;
      let bits = Math.imul(next ^ (next >>> 16), 0x21f0_aaad);
      bits = Math.imul(bits ^ (bits >>> 15), 0x735a_2d97);
      this.#state[index] = (bits ^ (bits >>> 15)) >>> 0;
    }
  }

  /** The next 32 bits, as a number from 0 to 2^32 - 1. */
  nextBits(): number {
    const state = this.#state;
    const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = state;
    const times5 = Math.imul(s1, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    const mixed2 = s2 ^ s0;
    const mixed3 = s3 ^ s1;
    state[1] = s1 ^ mixed2;
    state[0] = s0 ^ mixed3;
    state[2] = mixed2 ^ (s1 << 9);
    state[3] = (mixed3 << 11) | (mixed3 >>> 21);
    return result;
  }

  /** A number from 0 up to, but not, 1, in steps of 2^-32. */
  next(): number {
    return this.nextBits() / 2 ** 32;
  }

  /** A whole number from 0 to `bound - 1`; the bias is below `bound` / 2^32. */
  nextBelow(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** A standard normal number (G. Marsaglia's polar method). */
  nextNormal(): number {
    for (;;) {
      const x = 2 * this.next() - 1;
      const y = 2 * this.next() - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) return x * Math.sqrt((-2 * Math.log(square)) / square);
    }
  }

  /**
   * A number of the gamma distribution with scale 1 (G. Marsaglia, W. Tsang, "A simple method for
   * generating gamma variables", ACM TOMS 26(3), 2000).
   *
   * @param shape 1 or more
   */
  nextGamma(shape: number): number {
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.nextNormal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(this.next()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
    }
  }
}
