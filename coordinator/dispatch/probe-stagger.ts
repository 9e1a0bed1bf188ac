/** Longest that bursts are spread over, ms. */
const SPREAD_MAX_MS = 1000;

/** What a burst costs the timekeeper and the server, at most, ms. */
const SLOT_MAX_MS = 4;

/** Probes per burst of a small fleet, and of the largest; all bursts of a fleet together. */
const PROBES_MAX = 40;
const PROBES_MIN = 8;
const PROBES_TOGETHER_MAX = 1024;

/** Fleets up to this size need no spreading. */
const TOGETHER_MAX = 3;

/**
 * Spreads the clock probes of a fleet: bursts that meet wait for each other at the timekeeper, and
 * what waits there widens the bounds (64 devices at once: 1 ms).
 */
export class ProbeStagger {
  #burstMinNs: bigint | undefined;

  /** Takes in how long a device's burst took, ns. */
  note(burstNs: bigint | undefined): void {
    if (burstNs === undefined) return;
    if (this.#burstMinNs === undefined || burstNs < this.#burstMinNs) this.#burstMinNs = burstNs;
  }

  /** Probes that each of so many devices may send in a burst. */
  probesMax(count: number): number {
    const share = Math.floor(PROBES_TOGETHER_MAX / Math.max(1, count));
    return Math.min(PROBES_MAX, Math.max(PROBES_MIN, share));
  }

  /** How long the n-th of so many devices waits before a burst, ms. */
  delayMs(index: number, count: number): number {
    if (count <= TOGETHER_MAX) return 0;
    const burstMs = Number(this.#burstMinNs ?? 8_000_000n) / 1e6;
    const slotMs = Math.min(SLOT_MAX_MS, burstMs / 2, SPREAD_MAX_MS / count);
    return Math.round(index * slotMs);
  }
}
