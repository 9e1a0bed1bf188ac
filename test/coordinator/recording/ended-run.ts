import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import type { Run } from '../../../schemas/run.ts';
import type { Teardown } from '../../support/nats-server.ts';
import { makeRun } from '../../support/run-fixture.ts';

/** The run that {@link endedRun} writes. */
export const recorded = makeRun({ sandboxes: ['process', 'runc'], repetitions: 2 });
const { run, plan, results } = recorded;

/** A run as a coordinator leaves it when it has ended. */
export async function endedRun(t: Teardown, changes: Partial<Run> = {}): Promise<RunFolder> {
  const data = await mkdtemp(join(tmpdir(), 'damaged-run-'));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  const folder = RunFolder.of(data, run.runId);
  await folder.writePlan(plan);
  await folder.appendResults(results);
  const sealed = await folder.sealed({ ...run, resultsFile: { lineCheck: 'crc-32' } });
  await folder.writeRun({ ...sealed, ...changes });
  return folder;
}
