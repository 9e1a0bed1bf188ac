import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import type { Bus } from '../../../bus/bus.ts';
import {
  Fire,
  FIRE_SUBJECT,
  Fired,
  FIRED_SUBJECT,
  Sample,
  SAMPLE_SUBJECT,
} from './peer-messages.ts';
import { spreadOf } from './rows.ts';
import type { KnownClock, StartRow } from './rows.ts';

const ANSWER_TIMEOUT_MS = 10_000;

/** The other ways to start together: the side that gives the word. */
export class Peers {
  readonly #bus: Bus;
  readonly #present = new Set<string>();
  #trial = 0;
  #onFired: (fired: z.output<typeof Fired>) => void = () => undefined;

  private constructor(bus: Bus) {
    this.#bus = bus;
  }

  static async open(bus: Bus): Promise<Peers> {
    const peers = new Peers(bus);
    await bus.respond(SAMPLE_SUBJECT, Sample, () => ({ nowUtcMs: Date.now() }));
    await bus.subscribe(FIRED_SUBJECT, Fired, (fired) => {
      if (fired.trial === 0) peers.#present.add(fired.name);
      peers.#onFired(fired);
    });
    return peers;
  }

  /** Waits until these have said that they are there. */
  async awaitPresent(names: readonly string[]): Promise<void> {
    const giveUpAtMs = performance.now() + 60_000;
    while (!names.every((name) => this.#present.has(name))) {
      if (performance.now() > giveUpAtMs) throw new Error(`not there: ${names.join(', ')}`);
      await delay(50);
    }
  }

  /**
   * Takes trials.
   *
   * @param leadMs time ahead of an instant of the wall clock; undefined: start when told.
   */
  async measure(
    row: StartRow,
    series: { pair: string; trials: number; leadMs: number | undefined },
    clockOf: (name: string) => KnownClock,
  ): Promise<void> {
    for (let index = 0; index < series.trials; index += 1) {
      const stamps = await this.#start(series);
      row.trials.push({
        spreadNs: spreadOf([...stamps].map(([name, atNs]) => clockOf(name).toFleet(atNs))),
        estimates: [],
      });
      // So that a trial does not meet the end of the one before at the same place each time.
      await delay(4 + (index % 5));
    }
  }

  async #start({ pair, leadMs }: { pair: string; leadMs: number | undefined }) {
    this.#trial += 1;
    const trial = this.#trial;
    const subject = `${FIRE_SUBJECT}.${pair}`;
    const stamps = new Map<string, bigint>();
    const both = Promise.withResolvers<undefined>();
    this.#onFired = (fired) => {
      if (fired.trial !== trial) return;
      stamps.set(fired.name, fired.atMonoNs);
      if (stamps.size === 2) both.resolve(undefined);
    };
    const timer = setTimeout(() => {
      both.reject(new Error(`trial ${trial} of ${pair} did not end`));
    }, ANSWER_TIMEOUT_MS);
    try {
      if (leadMs === undefined) {
        this.#bus.publish(subject, Fire, { trial, step: 'start' });
      } else {
        this.#bus.publish(subject, Fire, { trial, step: 'sample' });
        await delay(leadMs);
        const startAtUtcMs = Date.now() + leadMs;
        this.#bus.publish(subject, Fire, { trial, step: 'start', startAtUtcMs });
      }
      await both.promise;
    } finally {
      clearTimeout(timer);
    }
    return stamps;
  }
}
