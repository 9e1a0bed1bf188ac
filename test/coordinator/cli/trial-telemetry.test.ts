import { readFile } from 'node:fs/promises';
import test from 'ava';
import { readRunSummary, writeReport } from '../../../coordinator/cli/report-files.ts';
import { trialTelemetry } from '../../../coordinator/cli/trial-telemetry.ts';
import { writeLargeRun } from '../../support/large-run.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { blockJson, makeBlock, makeReport, partOf } from '../../support/sample-blocks.ts';
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

test('trialTelemetry of samples as devices sent them has their attributes and sandboxes', async (t) => {
  const data = await temporaryData(t);
  const fixture = makeRun({ sandboxes: ['process'], repetitions: 3, agentsPerHost: [1] });
  const telemetry = makeReport({ blocks: 2 });
  const results = fixture.results.map((result) => ({ ...result, telemetry }));
  const folder = await recordRun(data, { ...fixture, results });
  for (const result of results) {
    const request = result.instances[0]!.phases.request!;
    for (const sequence of [1, 0]) {
      const firstMonoNs = request + 200_000_000n * BigInt(sequence);
      await folder.appendSamples(
        blockJson(makeBlock(partOf(result), { sequence, firstMonoNs, rounds: 20 })),
      );
    }
  }
  const read = await readRunSummary(data, fixture.run.runId);
  t.deepEqual(read.summary.samples?.missing, { trials: 0, blocks: 0 });
  const [first] = await trialTelemetry(read, quietly);
  t.deepEqual(
    first?.series.map(({ metric, attributes, instance, points }) => [
      metric,
      attributes?.['cpu.logical_number'],
      instance,
      points.length,
      points[0]?.sinceRequestMs,
    ]),
    [
      ['container.cpu.time', undefined, 'sandbox 0', 40, 0],
      ['container.memory.usage', undefined, 'sandbox 0', 40, 0],
      ['lockstep.host.cpu.busy.time', '0', undefined, 40, 0],
      ['lockstep.host.cpu.busy.time', '1', undefined, 40, 0],
    ],
  );
  const page = await readFile(await writeReport(read), 'utf8');
  t.regex(page, /container\.cpu\.time sandbox 0/);
  t.regex(page, /Cost of sampling/);
});
