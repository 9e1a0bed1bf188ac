import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import test from 'ava';
import type { SandboxName } from '../../../schemas/sandbox.ts';
import { checksFor } from './checks.ts';
import { runOnStage } from './stage-process.ts';

/** What the inner part reported about one check. */
interface Report {
  readonly title: string;
  readonly ok: boolean;
  readonly ms?: number;
  readonly message?: string;
  readonly details?: Record<string, string>;
  readonly failure?: { code: string; message: string; hint?: string };
}

const TIMEOUT_MS = 240_000;

/**
 * Tests that a driver keeps the contract. Everything runs in one process inside the runner's
 * namespaces, which is started with another scheduling class, a nice value, one processor and odd
 * limits, so that nothing of these may be found in a sandbox. The device's own network is compared.
 */
export function testContract(sandbox: SandboxName): void {
  let reports = new Map<string, Report>();
  let skipped: string | undefined;
  let networkBefore = '';

  test.before('the suite runs in namespaces of its own', async (t) => {
    t.timeout(TIMEOUT_MS + 60_000);
    networkBefore = hostNetwork();
    const outcome = await runOnStage<Report>(sandbox, {
      program: 'inside.ts',
      timeoutMs: TIMEOUT_MS,
      log: t.log,
    });
    skipped = outcome.skipped;
    reports = new Map(outcome.reports.map((report) => [report.title, report]));
    const detected = reports.get('detect');
    if (detected?.failure !== undefined) {
      skipped = `${detected.failure.message} (${detected.failure.hint ?? 'no remedy'})`;
    }
  });

  for (const title of ['detect', ...Object.keys(checksFor(sandbox)), 'leaves nothing behind']) {
    test(`${sandbox} ${title}`, (t) => {
      if (skipped !== undefined) {
        t.log(`skipped: ${skipped}`);
        t.pass();
        return;
      }
      const report = reports.get(title);
      t.truthy(report, 'the inner process ended before this check');
      t.true(report?.ok, report?.message);
      if (report?.details !== undefined) t.log(report.details);
    });
  }

  test(`${sandbox} leaves the network of the device as it was`, (t) => {
    t.is(hostNetwork(), networkBefore);
  });
}

function hostNetwork(): string {
  if (!existsSync('/proc/net/dev')) return '';
  const read = (...words: string[]): string =>
    execFileSync('ip', ['-j', ...words], { encoding: 'utf8' });
  // Leases count down.
  return [read('addr'), read('link'), read('route'), read('-6', 'route')]
    .join('\n')
    .replaceAll(/"(?:valid_life_time|preferred_life_time|expires)":\d+,?/g, '');
}
