import { join } from 'node:path';
import test from 'ava';
import { SandboxName } from '../../../schemas/sandbox.ts';
import { runOnTestStage } from './test-stage.ts';

// Starts and removes one sandbox after the other, and looks for what that leaves: processes,
// mounts, interfaces, cgroups and files in the namespaces of a runner, and memory of the process
// that does it. LOCKSTEP_STARTS says how many (the full measure is 1000), LOCKSTEP_STARTS_OF which
// kinds, with commas between.

interface Report {
  readonly failure?: { message: string; hint?: string };
  readonly starts?: number;
  readonly heapGrowthBytes?: number;
  readonly rssGrowthBytes?: number;
}

const STARTS = Number(process.env['LOCKSTEP_STARTS'] ?? 60);
const KINDS = (process.env['LOCKSTEP_STARTS_OF'] ?? 'process,bubblewrap,runc,crun,gvisor')
  .split(',')
  .map((name) => SandboxName.parse(name.trim()));

const GROWTH_BYTES_MAX = 10_000_000;
const START_MS_MAX = 5_000;

for (const kind of KINDS) {
  test.serial(`${STARTS} starts of ${kind} leave nothing behind and take no memory`, async (t) => {
    const timeoutMs = 60_000 + STARTS * START_MS_MAX;
    t.timeout(timeoutMs + 10_000);
    const { reports, skipped } = await runOnTestStage<Report>(kind, {
      program: join(import.meta.dirname, 'starts-inside.ts'),
      words: [String(STARTS)],
      // With the young generation at its full size from the start, what grows is what stays.
      nodeOptions: ['--expose-gc', '--min-semi-space-size=16', '--max-semi-space-size=16'],
      timeoutMs,
      log: t.log,
    });
    const [report] = reports;
    const reason = skipped ?? report?.failure?.message;
    if (reason !== undefined) {
      t.log(`skipped: ${reason}`);
      t.pass();
      return;
    }
    t.log(report);
    t.is(report?.starts, STARTS, 'the process ended before it was through');
    t.true((report?.heapGrowthBytes ?? Infinity) <= GROWTH_BYTES_MAX);
    t.true((report?.rssGrowthBytes ?? Infinity) <= GROWTH_BYTES_MAX);
  });
}
