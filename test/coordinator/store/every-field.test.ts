import test from 'ava';
import fc from 'fast-check';
import { ClockEstimate } from '../../../schemas/clock.ts';
import { Failure } from '../../../schemas/failure.ts';
import { Measurement } from '../../../schemas/measurement.ts';
import {
  BarrierRecord,
  Cell,
  Instance,
  InvalidMark,
  PhaseStamps,
  SandboxUsage,
  StartRecord,
  TrialResult,
} from '../../../schemas/result.ts';
import { SamplerReport, SourceReport, TrialTelemetryRecord } from '../../../schemas/telemetry.ts';
import { anyResults } from '../../support/result-arbitrary.ts';
import { makeRun } from '../../support/run-fixture.ts';

// A field that the schema gained and the Parquet files forgot would be lost there. That nothing is
// lost is tested with arbitrary results; here it is made sure that these have every field.

const SHAPES: Readonly<Record<string, object>> = {
  result: TrialResult.shape,
  cell: Cell.shape,
  failure: Failure.shape,
  clock: ClockEstimate.shape,
  start: StartRecord.shape,
  barrier: BarrierRecord.shape,
  mark: InvalidMark.shape,
  measurement: Measurement.shape,
  instance: Instance.shape,
  phases: PhaseStamps.shape,
  usage: SandboxUsage.shape,
  sampler: SamplerReport.shape,
  source: SourceReport.shape,
  unsampled: TrialTelemetryRecord.options[1].shape,
};

test('arbitrary results have every field that the schema has', (t) => {
  const { run } = makeRun({ repetitions: 1 });
  const seen = new Map(Object.keys(SHAPES).map((name) => [name, new Set<string>()]));
  const note = (name: string, value: object | undefined): void => {
    for (const [key, part] of Object.entries(value ?? {})) {
      if (part !== undefined) seen.get(name)?.add(key);
    }
  };
  for (const results of fc.sample(anyResults(run.runId, ['a', 'b']), { numRuns: 400, seed: 1 })) {
    for (const result of results) {
      note('result', result);
      note('cell', result.cell);
      note('failure', result.failure);
      note('clock', result.clock);
      note('start', result.start);
      const { telemetry } = result;
      const isUnsampled = telemetry !== undefined && 'failure' in telemetry;
      note(isUnsampled ? 'unsampled' : 'sampler', telemetry);
      if (!isUnsampled) for (const one of telemetry?.sources ?? []) note('source', one);
      for (const barrier of result.barriers) note('barrier', barrier);
      for (const mark of result.invalid) note('mark', mark);
      for (const one of result.measurements ?? []) note('measurement', one);
      for (const instance of result.instances) {
        note('instance', instance);
        note('phases', instance.phases);
        note('usage', instance.usage);
      }
    }
  }
  for (const [name, shape] of Object.entries(SHAPES)) {
    t.deepEqual([...(seen.get(name) ?? [])].toSorted(), Object.keys(shape).toSorted(), name);
  }
});
