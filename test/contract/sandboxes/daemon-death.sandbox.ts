import { join } from 'node:path';
import test from 'ava';
import { runOnTestStage } from './test-stage.ts';

/** What the inner part reported about one step, in its order. */
interface Report {
  readonly title: string;
  readonly ok: boolean;
  readonly message?: string;
  readonly skipped?: string;
}

const TIMEOUT_MS = 120_000;

for (const sandbox of ['docker', 'podman', 'containerd'] as const) {
  test.serial(
    `${sandbox} bears that its daemon ends, hangs, never serves, or is not there`,
    async (t) => {
      t.timeout(TIMEOUT_MS + 10_000);
      const { reports, skipped } = await runOnTestStage<Report>(sandbox, {
        program: join(import.meta.dirname, 'daemon-death-inside.ts'),
        timeoutMs: TIMEOUT_MS,
        log: t.log,
      });
      const reason = skipped ?? reports[0]?.skipped;
      if (reason !== undefined) {
        t.log(`skipped: ${reason}`);
        t.pass();
        return;
      }
      for (const { title, ok, message } of reports) t.true(ok, `${title}: ${message ?? ''}`);
      t.is(reports.length, 6, 'the inner process ended early');
    },
  );
}
