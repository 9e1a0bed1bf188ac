/** Parts of each power of two: a bucket is at most a 32nd of its value wide. */
const PARTS = 32;
const PART_BITS = 5;

/** Enough for 2^53 ns, a hundred days. */
const BUCKETS = (53 - PART_BITS + 2) * PARTS;

/**
 * How late rounds were, in a fixed number of buckets that grow with the value, so that any number
 * of rounds takes the same memory. A percentile is the upper end of its bucket: 3 % too high at
 * most. The maximum is exact.
 */
export class LatenessHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #maxNs = 0;

  /** The latest, ns. */
  get maxNs(): number {
    return this.#maxNs;
  }

  /** Adds one, in whole ns; what is early counts as on time. */
  add(latenessNs: number): void {
    const value = Math.max(0, Math.floor(latenessNs));
    const bucket = bucketOf(value);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    if (value > this.#maxNs) this.#maxNs = value;
  }

  /**
   * The least value that a share of all does not exceed, ns; 0 if there are none.
   *
   * @param share from 0 to 1
   */
  percentileNs(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= wanted) return Math.min(highestOf(bucket), this.#maxNs);
    }
    return 0;
  }
}

function bucketOf(value: number): number {
  if (value < PARTS) return value;
  const exponent = Math.floor(Math.log2(value)) - PART_BITS;
  const bucket = (exponent + 1) * PARTS + (Math.floor(value / 2 ** exponent) - PARTS);
  return Math.min(bucket, BUCKETS - 1);
}

function highestOf(bucket: number): number {
  if (bucket < PARTS) return bucket;
  const exponent = Math.floor(bucket / PARTS) - 1;
  return ((bucket % PARTS) + PARTS + 1) * 2 ** exponent - 1;
}
