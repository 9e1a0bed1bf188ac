import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { DeviceFacts } from '../../schemas/device.ts';
import { errorMessageOf } from '../../schemas/errors.ts';
import type { Clock } from '../clock/clock.ts';
import { CHANGING_FACTS } from './device-facts.ts';
import type { ChangingFacts } from './device-facts.ts';

/** Time between two looks while the device is idle, ms. */
const EVERY_MS = 60_000;

/** Free space is told anew when it has changed by this share of the disk, or by this much. */
const FREE_SHARE = 0.05;
const FREE_BYTES = 2 ** 30;

/** What a watch needs. */
export interface FactsWatchPorts {
  /** What was told last. */
  readonly facts: DeviceFacts;
  readonly clock: Pick<Clock, 'sleep'>;
  /** False while a run is served: its trials are not disturbed, and its facts stay as they were. */
  readonly isIdle: () => boolean;
  /** Reads what may have changed. */
  readonly read: () => Promise<ChangingFacts>;
  /** Takes all facts, when one has changed. */
  readonly onChange: (facts: DeviceFacts) => void;
  readonly logger: Logger;
}

/** Looks at the facts that may change once a minute while the device is idle. */
export function watchFacts(ports: FactsWatchPorts): { stop: () => void } {
  const abort = new AbortController();
  void loop(ports, abort.signal);
  return {
    stop: () => {
      abort.abort();
    },
  };
}

async function loop(ports: FactsWatchPorts, signal: AbortSignal): Promise<void> {
  const { clock, isIdle, read, onChange, logger } = ports;
  let { facts } = ports;
  const isStopped = (): boolean => signal.aborted;
  for (;;) {
    await clock.sleep(EVERY_MS, signal);
    if (isStopped()) return;
    if (!isIdle()) continue;
    try {
      const next = updateFacts(facts, await read());
      if (next === facts || isStopped()) continue;
      logger.info({ changed: changedNames(facts, next) }, 'facts of the device have changed');
      facts = next;
      onChange(facts);
    } catch (error) {
      logger.debug({ error: errorMessageOf(error) }, 'facts not read');
    }
  }
}

/**
 * The facts with what is new in them; the same object if nothing is. What is no longer known
 * becomes absent. Free space counts as new only if it differs by 5 % of the disk or by 1 GiB.
 */
export function updateFacts(facts: DeviceFacts, changing: ChangingFacts): DeviceFacts {
  const isOnlyFreeSpace =
    isDeepStrictEqual(withoutFreeSpace(facts), withoutFreeSpace(changing)) &&
    !hasFreedMuch(facts.disk, changing.disk);
  if (isOnlyFreeSpace) return facts;
  const lasting = Object.entries(facts).filter(
    ([name]) => !(CHANGING_FACTS as readonly string[]).includes(name),
  );
  return { ...(Object.fromEntries(lasting) as DeviceFacts), ...changing };
}

function changedNames(before: DeviceFacts, after: DeviceFacts): string[] {
  return CHANGING_FACTS.filter((name) => !isDeepStrictEqual(before[name], after[name]));
}

function withoutFreeSpace(facts: Partial<ChangingFacts>): unknown[] {
  return CHANGING_FACTS.map((name) =>
    name === 'disk' && facts.disk !== undefined ? { ...facts.disk, freeBytes: 0 } : facts[name],
  );
}

function hasFreedMuch(before: DeviceFacts['disk'], after: DeviceFacts['disk']): boolean {
  if (before === undefined || after === undefined) return false;
  const difference = Math.abs(after.freeBytes - before.freeBytes);
  return difference >= Math.min(FREE_BYTES, FREE_SHARE * after.sizeBytes);
}
