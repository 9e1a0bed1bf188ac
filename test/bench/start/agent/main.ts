import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { systemClock } from '../../../../agent/clock/clock.ts';
import { startAgent } from '../../../../agent/start-agent.ts';
import { beginLifetime } from '../../../../bus/lifetime.ts';
import { WarpedClock } from '../../../support/warped-clock.ts';

// A real agent whose clock may drift: SERVER CREDS DATA CACHE PAIR ANCHOR_NS PPM. Its runner gets
// the same clock by a program of its own, because the two meet on it.
const [server = '', creds = '', data = '', cache = '', pair = '', anchor = '0', ppm = '0'] =
  process.argv.slice(2);
const driftPpm = Number(ppm);
const clock =
  driftPpm === 0
    ? systemClock
    : new WarpedClock(systemClock, { originTrueNs: BigInt(anchor), driftPpm });

const root = join(import.meta.dirname, '../../../..');
const modules = {
  serve: join(root, 'agent/runner/serve.ts'),
  clock: join(root, 'agent/clock/clock.ts'),
  warped: join(root, 'test/support/warped-clock.ts'),
};
const runnerEntry = join(data, 'runner.ts');
await writeFile(
  runnerEntry,
  `import { systemClock } from ${JSON.stringify(modules.clock)};
import { serveRunner } from ${JSON.stringify(modules.serve)};
import { WarpedClock } from ${JSON.stringify(modules.warped)};
const clock = new WarpedClock(systemClock, { originTrueNs: ${anchor}n, driftPpm: ${ppm} });
process.exit(await serveRunner(clock));
`,
);

const lifetime = beginLifetime({ hasLifeline: true, stopTimeoutMs: 20_000 });
const running = await startAgent(
  { server, creds, data, cache, labels: { pair }, sandboxes: ['process'] },
  {
    clock,
    logger: pino({ level: 'warn' }),
    signal: lifetime.signal,
    ...(driftPpm === 0 ? {} : { runnerEntry }),
  },
);
await lifetime.over;
await running.stop();
process.exit();
