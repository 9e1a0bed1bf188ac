import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { z } from 'zod';
import { beginLifetime } from '../../bus/lifetime.ts';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import { SandboxName } from '../../schemas/sandbox.ts';
import { SelftestEvent } from '../../schemas/selftest.ts';
import { systemClock } from '../clock/clock.ts';
import { runSelftest } from './selftest.ts';
import type { SelftestSettings } from './selftest.ts';

// Tests the kinds of sandbox of this device, and writes a JSON line per event to stdout, the report
// last. Started by `lockstep selftest`; it ends when its stdin does, that is, when its parent is
// gone.

/** Time for everything to end after a signal, ms; afterwards the process ends anyway. */
const STOP_TIMEOUT_MS = 40_000;

const Settings = z.object({
  cache: z.string().min(1),
  sandboxes: z.array(SandboxName).min(1),
  seconds: z.number().min(0),
});

function readSettings(args: string[]): SelftestSettings {
  const { values } = parseArgs({
    args,
    options: {
      cache: { type: 'string' },
      sandboxes: { type: 'string' },
      seconds: { type: 'string' },
    },
  });
  const settings = Settings.safeParse({
    cache: values.cache,
    sandboxes: values.sandboxes?.split(','),
    seconds: Number(values.seconds),
  });
  if (!settings.success) throw new LockstepError('USAGE', z.prettifyError(settings.error));
  const { cache, sandboxes, seconds } = settings.data;
  return { cacheFolder: resolve(cache), sandboxes, seconds };
}

function tell(event: SelftestEvent): void {
  process.stdout.write(`${JSON.stringify(SelftestEvent.parse(event))}\n`);
}

async function main(): Promise<number> {
  const level = process.env['LOCKSTEP_LOG_LEVEL'] ?? 'error';
  const logger = pino({ name: 'selftest', level }, pino.destination({ fd: 2, sync: true }));
  // What can't be told any more is lost; the end of stdin does the rest.
  process.stdout.on('error', () => undefined);
  const lifetime = beginLifetime({ hasLifeline: true, stopTimeoutMs: STOP_TIMEOUT_MS });
  try {
    const { signal } = lifetime;
    const settings = readSettings(process.argv.slice(2));
    const report = await runSelftest(settings, { clock: systemClock, logger, signal, tell });
    tell({ event: 'report', report });
    return 0;
  } catch (error) {
    if (lifetime.signal.aborted) return 130;
    const hint = error instanceof LockstepError ? (error.hint ?? '') : '';
    process.stderr.write(`selftest: ${errorMessageOf(error)}\n${hint}\n`);
    return 1;
  }
}

process.exit(await main());
