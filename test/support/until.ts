import { setTimeout as delay } from 'node:timers/promises';

/** Resolves when the condition holds; fails after a minute. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const giveUpAtMs = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAtMs) throw new Error(`did not come: ${what}`);
    await delay(5);
  }
}
