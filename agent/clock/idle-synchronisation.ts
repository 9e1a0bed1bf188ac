import type { Logger } from 'pino';
import { errorMessageOf } from '../../schemas/errors.ts';
import type { Clock } from './clock.ts';
import type { Synchroniser } from './synchroniser.ts';

/** Time between two bursts while the device is idle, ms: it doubles from the least to the most. */
const EVERY_MIN_MS = 2000;
const EVERY_MAX_MS = 300_000;

/** Share by which the time varies, so that a fleet that was started at once spreads. */
const JITTER = 0.2;

/** What it needs. */
export interface IdleSynchronisationPorts {
  readonly synchroniser: Synchroniser;
  readonly clock: Clock;
  /** False while a run is served: its trials synchronise by themselves. */
  readonly isIdle: () => boolean;
  readonly logger: Logger;
}

/**
 * Knows the drift before the first trial: a few bursts soon after the start, then ever fewer. At
 * rest this is one burst in five minutes, some 32 messages of 200 bytes each way.
 */
export function keepSynchronised(ports: IdleSynchronisationPorts): { stop: () => void } {
  const abort = new AbortController();
  void loop(ports, abort.signal);
  return {
    stop: () => {
      abort.abort();
    },
  };
}

async function loop(ports: IdleSynchronisationPorts, signal: AbortSignal): Promise<void> {
  const { synchroniser, clock, isIdle, logger } = ports;
  let everyMs = EVERY_MIN_MS;
  for (;;) {
    const jitter = 1 + JITTER * (2 * Math.random() - 1);
    await clock.sleep(everyMs * jitter, signal);
    if (signal.aborted) return;
    everyMs = isIdle() ? Math.min(2 * everyMs, EVERY_MAX_MS) : EVERY_MIN_MS;
    if (!isIdle()) continue;
    try {
      await synchroniser.measure();
    } catch (error) {
      logger.debug({ error: errorMessageOf(error) }, 'no burst of clock probes');
    }
  }
}
