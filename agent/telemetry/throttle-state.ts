import { SYSTEM_ROOTS } from '../collectors/collector.ts';
import type { Roots } from '../collectors/collector.ts';
import { throttling } from '../collectors/throttling.ts';

/**
 * Whether the device is slowed down now, by heat or for want of power. Undefined where nothing
 * tells it; never asked while a trial runs.
 */
export async function isThrottledNow(roots: Roots = SYSTEM_ROOTS): Promise<boolean | undefined> {
  const source = throttling.open(roots);
  if ('unavailable' in source || source.pace !== 'slow') return undefined;
  try {
    const readings = await source.read();
    if (typeof readings === 'string') return undefined;
    const now = readings.filter(({ attributes }) => attributes?.['lockstep.since'] === 'now');
    return now.length === 0 ? undefined : now.some(({ value }) => value > 0);
  } finally {
    await source.close();
  }
}
