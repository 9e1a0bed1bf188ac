import type { SampleCounts } from './manifest.ts';
import { parseAttributes } from './sample-columns.ts';
import type { OrderedSeries } from './sample-series.ts';

const METRIC = 'lockstep.host.throttled';

/** More kinds of trouble than these are not told apart. */
const SEEN_MAX = 1000;

/**
 * Watches the series of a run, in the order of the plan, for devices that were throttled: a
 * condition that holds now, or one that holds since the start of the system and did not before.
 */
export class ThrottleWatch {
  readonly #trials = new Map<string, { device: string; condition: string; trials: number }>();
  readonly #sinceBoot = new Map<string, number>();

  /** A series of a device's part in a trial. */
  note(device: string, { metric, attributes, values }: OrderedSeries): void {
    if (metric !== METRIC) return;
    const names = parseAttributes(attributes);
    const condition = names['lockstep.condition'] ?? 'unknown';
    const isSinceBoot = names['lockstep.since'] === 'boot';
    const known = values.filter((value) => !Number.isNaN(value));
    if (!(isSinceBoot ? this.#isNew(`${device}\n${condition}`, known) : known.some(isSet))) return;
    const key = `${device}\n${condition}\n${isSinceBoot}`;
    const entry = this.#trials.get(key) ?? {
      device,
      condition: isSinceBoot ? `${condition} since boot` : condition,
      trials: 0,
    };
    entry.trials += 1;
    if (this.#trials.size < SEEN_MAX) this.#trials.set(key, entry);
  }

  /** What was seen, by device and condition. */
  get seen(): SampleCounts['throttled'] {
    return [...this.#trials].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  }

  /** Whether it was not set at first, and then was. */
  #isNew(key: string, values: Float64Array): boolean {
    const first = this.#sinceBoot.get(key) ?? values[0] ?? 0;
    const last = values.at(-1);
    if (last !== undefined) this.#sinceBoot.set(key, last);
    return !isSet(first) && values.some(isSet);
  }
}

function isSet(value: number): boolean {
  return value >= 1;
}
