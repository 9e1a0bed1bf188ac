import test from 'ava';
import { readRunSummary } from '../../../coordinator/cli/report-files.ts';
import { trialTelemetry } from '../../../coordinator/cli/trial-telemetry.ts';
import { writeLargeRun } from '../../support/large-run.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { recordRun, temporaryData } from '../../support/temporary-run.ts';

const quietly = (): void => undefined;

test('trialTelemetry has the samples around the median and the worst trial of each cell', async (t) => {
  const data = await temporaryData(t);
  const { runId } = await writeLargeRun(data, { results: 160, samples: 16_000 });
  const read = await readRunSummary(data, runId);
  const { summary } = read;
  const telemetry = await trialTelemetry(read, quietly);
  t.is(telemetry.length, 2 * summary.cells.length);
  for (const { role, cellId, trialId, deviceId, phases, series } of telemetry) {
    const { units, latency } = summary.cells.find(({ cell }) => cell.id === cellId)!;
    const { host } = summary.hosts.find(({ deviceIds }) => deviceIds.includes(deviceId))!;
    const unit = units.find((one) => one.trialId === trialId && one.host === host)!;
    if (role === 'worst') t.is(unit.valueNs, latency!.maxNs);
    t.is(phases.request, 0);
    t.true((phases.firstByte ?? 0) > 0);
    t.true(series.length > 0);
    for (const { metric, points } of series) t.true(points.length > 0, metric);
  }
});

test('trialTelemetry of a run without samples is nothing', async (t) => {
  const data = await temporaryData(t);
  const fixture = makeRun({ repetitions: 1 });
  await recordRun(data, fixture);
  const read = await readRunSummary(data, fixture.run.runId);
  t.deepEqual(await trialTelemetry(read, quietly), []);
});
