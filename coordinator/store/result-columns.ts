import { sourceGaps } from '../analysis/telemetry-tally.ts';
import { fleetLatenessNs } from '../analysis/start-summary.ts';
import type { Outcome } from '../analysis/result-outcome.ts';
import type { PlannedTrial } from '../../schemas/plan.ts';
import { BarrierRecord } from '../../schemas/result.ts';
import type { TrialResult } from '../../schemas/result.ts';
import type { SamplerReport } from '../../schemas/telemetry.ts';
import { columnsOf } from './column.ts';
import type { Column, ColumnValue, FilledColumn } from './column.ts';

/** A result with what it counts as and where it belongs. */
export interface ResultRow {
  readonly result: TrialResult;
  readonly host: string;
  readonly outcome: Outcome;
  /** Absent as in the analysis. */
  readonly latencyNs?: number;
  /** Absent if the plan does not know the trial. */
  readonly planned?: PlannedTrial;
  /** The whole result as JSON, if a column can't hold one of its values; else absent. */
  readonly exactJson?: string;
}

type Reads = Readonly<Record<string, (row: ResultRow) => ColumnValue>>;

const WHERE: Reads = {
  run: ({ result }) => result.runId,
  trial: ({ result }) => result.trialId,
};

const PLAN: Reads = {
  attempt: ({ result }) => result.attempt,
  position: ({ planned }) => planned?.position,
  repetition: ({ planned }) => planned?.repetition,
};

const WHAT: Reads = {
  device: ({ result }) => result.deviceId,
  host: ({ host }) => host,
  cell: ({ result }) => result.cell.id,
  sandbox: ({ result }) => result.cell.sandbox,
  function: ({ result }) => result.cell.function,
};

const STATUS: Reads = {
  reportedBy: ({ result }) => result.reportedBy,
  outcome: ({ outcome }) => outcome,
  status: ({ result }) => result.status,
  failureCode: ({ result }) => result.failure?.code,
  failureMessage: ({ result }) => result.failure?.message,
  failureHint: ({ result }) => result.failure?.hint,
  invalidCodes: ({ result }) => invalidCodes(result),
  invalid: ({ result }) => jsonUnlessEmpty(result.invalid),
};

const FIGURES: Reads = {
  latencyNs: ({ latencyNs }) => integer(latencyNs),
  latenessNs: ({ result }) => result.start?.latenessNs,
  fleetLatenessNs: ({ result }) => integer(fleetLatenessNs(result)),
  targetFleetNs: ({ result }) => result.start?.targetFleetNs,
  targetAtMonoNs: ({ result }) => result.start?.targetMonoNs,
  actualAtMonoNs: ({ result }) => result.start?.actualMonoNs,
  startedAtUtcNs: ({ result }) => result.start?.startedAtUtcNs,
};

const START_TEXTS: Reads = {
  schedulingClass: ({ result }) => result.start?.schedulingClass,
  schedulingReason: ({ result }) => result.start?.schedulingReason,
  fleetTime: ({ result }) => result.clock?.fleetTime,
};

const CLOCK_AND_HOST: Reads = {
  clockOffsetNs: ({ result }) => result.clock?.offsetNs,
  clockBoundNs: ({ result }) => result.clock?.boundNs,
  clockAgeNs: ({ result }) => result.clock?.ageNs,
  clockRoundTripMinNs: ({ result }) => result.clock?.roundTripMinNs,
  clockBurstNs: ({ result }) => result.clock?.burstNs,
  clockProbes: ({ result }) => result.clock?.probes,
  hostMemoryDropBytes: ({ result }) => result.hostMemoryDropBytes,
};

const SAMPLER_RATES: Reads = {
  telemetryRateHz: ({ result }) => samplerOf(result)?.rateHz,
  telemetryAchievedHz: ({ result }) => samplerOf(result)?.achievedHz,
};

const SAMPLER_COUNTS: Reads = {
  telemetryRounds: ({ result }) => samplerOf(result)?.rounds,
  telemetryMissed: ({ result }) => samplerOf(result)?.missed,
  telemetrySamples: ({ result }) => samplerOf(result)?.samples,
  telemetryBlocks: ({ result }) => samplerOf(result)?.blocks,
  telemetryThinnedBy: ({ result }) => samplerOf(result)?.thinnedBy,
  telemetryLatenessP50Ns: ({ result }) => samplerOf(result)?.latenessP50Ns,
  telemetryLatenessP99Ns: ({ result }) => samplerOf(result)?.latenessP99Ns,
  telemetryLatenessMaxNs: ({ result }) => samplerOf(result)?.latenessMaxNs,
  telemetryCpuNs: ({ result }) => samplerOf(result)?.cpuNs,
  telemetryWallNs: ({ result }) => samplerOf(result)?.wallNs,
};

const SAMPLER_TEXTS: Reads = {
  telemetryCpus: ({ result }) => samplerOf(result)?.cpus,
  telemetryGaps: ({ result }) => jsonUnlessEmpty(sourceGaps(samplerOf(result)?.sources ?? [])),
  telemetrySources: ({ result }) => {
    const report = samplerOf(result);
    return report === undefined ? undefined : JSON.stringify(report.sources);
  },
  telemetryFailure: ({ result: { telemetry } }) =>
    telemetry !== undefined && 'failure' in telemetry ? telemetry.failure : undefined,
};

const TEXTS: Reads = {
  functionDigest: ({ result }) => result.functionDigest,
  sandboxDetails: ({ result }) => JSON.stringify(result.sandboxDetails),
  barriers: ({ result }) =>
    jsonUnlessEmpty(result.barriers.map((record) => BarrierRecord.encode(record))),
  measurements: ({ result: { measurements } }) =>
    measurements === undefined ? undefined : JSON.stringify(measurements),
  conditions: ({ result: { conditions } }) =>
    conditions === undefined ? undefined : JSON.stringify(conditions),
  exactJson: ({ exactJson }) => exactJson,
};

/** The columns that a result fills, in the order of the file. */
export const RESULT_VALUES: readonly FilledColumn<ResultRow>[] = [
  ...columnsOf('VARCHAR', WHERE),
  ...columnsOf('BIGINT', PLAN),
  ...columnsOf('VARCHAR', WHAT),
  ...columnsOf<ResultRow>('INTEGER', { instances: ({ result }) => result.cell.instances }),
  ...columnsOf('VARCHAR', STATUS),
  ...columnsOf('BIGINT', FIGURES),
  ...columnsOf<ResultRow>('INTEGER', { wave: ({ result }) => result.start?.wave }),
  ...columnsOf('VARCHAR', START_TEXTS),
  ...columnsOf('BIGINT', CLOCK_AND_HOST),
  ...columnsOf<ResultRow>('BOOLEAN', { bracketed: ({ result }) => result.clock?.bracketed }),
  ...columnsOf<ResultRow>('DOUBLE', { driftPpb: ({ result }) => result.clock?.driftPpb }),
  ...columnsOf<ResultRow>('INTEGER', {
    instanceRows: ({ result }) => result.instances.length,
  }),
  ...columnsOf('DOUBLE', SAMPLER_RATES),
  ...columnsOf('BIGINT', SAMPLER_COUNTS),
  ...columnsOf('VARCHAR', SAMPLER_TEXTS),
  ...columnsOf('VARCHAR', TEXTS),
  ...columnsOf<ResultRow>('BIGINT', { protocol: ({ result }) => result.protocol }),
];

/** The columns of results.parquet: a row per result. */
export const RESULT_COLUMNS: readonly Column[] = [
  { name: 'resultIndex', type: 'BIGINT' },
  ...RESULT_VALUES.map(({ name, type }) => ({ name, type })),
];

/** How the trial was sampled. Undefined if it was not. */
function samplerOf({ telemetry }: TrialResult): SamplerReport | undefined {
  return telemetry === undefined || 'failure' in telemetry ? undefined : telemetry;
}

/** The codes of a result's marks, as the CSV has them. Undefined if there is none. */
function invalidCodes({ invalid }: TrialResult): string | undefined {
  return invalid.length === 0 ? undefined : invalid.map(({ code }) => code).join(' ');
}

function jsonUnlessEmpty(values: readonly unknown[]): string | undefined {
  return values.length === 0 ? undefined : JSON.stringify(values);
}

/** A difference of stamps; absent where a double is not exact. */
function integer(value: number | undefined): number | undefined {
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}
