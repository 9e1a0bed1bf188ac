import type { HealthGetters } from './health-instruments.ts';
import { byAttribute, single } from './health-instruments.ts';

/** The event loop is looked at this often, ms: seldom, as each look is a wake-up of the machine. */
const LOOK_EVERY_MS = 500;

/** How late a timer of this process fires. */
export interface EventLoopWatch {
  /** Mean and longest lateness since the last call, s. Absent if there was no look since. */
  take(): { readonly meanS: number; readonly maxS: number } | undefined;
  stop(): void;
}

/** Begins to watch. The histogram of Node would wake the machine much more often. */
export function watchEventLoop(everyMs = LOOK_EVERY_MS): EventLoopWatch {
  let dueMs = performance.now() + everyMs;
  let looks = 0;
  let sumMs = 0;
  let maxMs = 0;
  const look = (): void => {
    const lateMs = Math.max(0, performance.now() - dueMs);
    looks += 1;
    sumMs += lateMs;
    maxMs = Math.max(maxMs, lateMs);
    arm();
  };
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    dueMs = performance.now() + everyMs;
    timer = setTimeout(look, everyMs).unref();
  };
  arm();
  return {
    take: () => {
      if (looks === 0) return undefined;
      const delay = { meanS: sumMs / looks / 1e3, maxS: maxMs / 1e3 };
      [looks, sumMs, maxMs] = [0, 0, 0];
      return delay;
    },
    stop: () => {
      clearTimeout(timer);
    },
  };
}

/** What every process tells of itself. */
export function processHealth(watch: EventLoopWatch): HealthGetters {
  let delay: ReturnType<EventLoopWatch['take']>;
  return {
    'process.cpu.time': () => {
      const { user, system } = process.cpuUsage();
      return byAttribute('cpu.mode', { user: user / 1e6, system: system / 1e6 });
    },
    'process.memory.usage': () => single(process.memoryUsage.rss()),
    // Instruments are asked in the order in which they were made.
    'nodejs.eventloop.delay.mean': () => {
      delay = watch.take();
      return single(delay?.meanS);
    },
    'nodejs.eventloop.delay.max': () => single(delay?.maxS),
  };
}
