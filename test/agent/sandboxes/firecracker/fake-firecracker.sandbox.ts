import { join } from 'node:path';
import test from 'ava';
import { runOnTestStage } from '../../../contract/sandboxes/test-stage.ts';
import { SCENARIOS } from './scenarios.ts';

// No Firecracker has run for these: a strict server of our own stands for it. See
// test/support/fake-firecracker.

interface Report {
  readonly title: string;
  readonly ok: boolean;
  readonly message?: string;
}

let reports = new Map<string, Report>();
let skipped: string | undefined;

test.before('the scenarios are played', async (t) => {
  t.timeout(280_000);
  const outcome = await runOnTestStage<Report>('firecracker', {
    program: join(import.meta.dirname, 'inside.ts'),
    timeoutMs: 240_000,
    log: t.log,
  });
  skipped = outcome.skipped;
  reports = new Map(outcome.reports.map((report) => [report.title, report]));
});

for (const title of Object.keys(SCENARIOS)) {
  test(`Firecracker's driver ${title}`, (t) => {
    if (skipped !== undefined) {
      t.log(`skipped: ${skipped}`);
      t.pass();
      return;
    }
    const report = reports.get(title);
    t.truthy(report, 'the inner process ended before this scenario');
    t.true(report?.ok, report?.message);
  });
}
