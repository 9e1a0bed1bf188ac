import type { ErrorCode } from '../../schemas/errors.ts';
import type { Failure } from '../../schemas/failure.ts';
import type { Measurement } from '../../schemas/measurement.ts';
import { BarrierRecord, TrialResult } from '../../schemas/result.ts';
import type { Instance, InvalidMark, StartRecord } from '../../schemas/result.ts';
import type { SourceReport } from '../../schemas/telemetry.ts';
import type { Values } from './column-arrays.ts';

type Text =
  | 'run'
  | 'trial'
  | 'device'
  | 'cell'
  | 'sandbox'
  | 'function'
  | 'reportedBy'
  | 'status'
  | 'failureCode'
  | 'failureMessage'
  | 'failureHint'
  | 'invalid'
  | 'schedulingClass'
  | 'schedulingReason'
  | 'fleetTime'
  | 'functionDigest'
  | 'sandboxDetails'
  | 'barriers'
  | 'telemetryCpus'
  | 'telemetryGaps'
  | 'telemetrySources'
  | 'telemetryFailure'
  | 'measurements'
  | 'conditions'
  | 'exactJson';
type Integer =
  | 'resultIndex'
  | 'attempt'
  | 'latenessNs'
  | 'targetFleetNs'
  | 'targetAtMonoNs'
  | 'actualAtMonoNs'
  | 'startedAtUtcNs'
  | 'clockOffsetNs'
  | 'clockBoundNs'
  | 'clockAgeNs'
  | 'clockRoundTripMinNs'
  | 'clockBurstNs'
  | 'clockProbes'
  | 'hostMemoryDropBytes'
  | 'telemetryRounds'
  | 'telemetryMissed'
  | 'telemetrySamples'
  | 'telemetryBlocks'
  | 'telemetryThinnedBy'
  | 'telemetryLatenessP50Ns'
  | 'telemetryLatenessP99Ns'
  | 'telemetryLatenessMaxNs'
  | 'telemetryCpuNs'
  | 'telemetryWallNs'
  | 'protocol';
type Float =
  'instances' | 'wave' | 'driftPpb' | 'instanceRows' | 'telemetryRateHz' | 'telemetryAchievedHz';

/** The columns of results.parquet that a result is made of again, for some rows. */
export type ResultArrays = Readonly<Record<Text, Values<string>>> &
  Readonly<Record<Integer, Values<bigint>>> &
  Readonly<Record<Float, Values<number>>> &
  Readonly<Record<'bracketed', Values<boolean>>>;

/** The columns that are computed, and so are not needed to make a result again. */
export const COMPUTED_COLUMNS: readonly string[] = [
  'position',
  'repetition',
  'host',
  'outcome',
  'invalidCodes',
  'latencyNs',
  'fleetLatenessNs',
];

/**
 * The result in a row of results.parquet, with the instances that belong to it. What was absent is
 * absent again. The values were checked when they were written, so they are not checked again.
 */
export function rebuildResult(c: ResultArrays, row: number, instances: Instance[]): TrialResult {
  const exactJson = c.exactJson[row];
  if (exactJson !== undefined) {
    return TrialResult.decode(JSON.parse(exactJson) as Parameters<typeof TrialResult.decode>[0]);
  }
  const result: Partial<TrialResult> = {
    protocol: Number(c.protocol[row]),
    runId: c.run[row] ?? '',
    trialId: c.trial[row] ?? '',
    attempt: Number(c.attempt[row]),
    deviceId: c.device[row] ?? '',
    cell: {
      id: c.cell[row] ?? '',
      sandbox: c.sandbox[row] as TrialResult['cell']['sandbox'],
      function: c.function[row] ?? '',
      instances: c.instances[row] ?? 0,
    },
    reportedBy: c.reportedBy[row] as TrialResult['reportedBy'],
    status: c.status[row] as TrialResult['status'],
  };
  const failureCode = c.failureCode[row];
  if (failureCode !== undefined) {
    result.failure = rebuildFailure(failureCode, c.failureMessage[row], c.failureHint[row]);
  }
  const invalid = c.invalid[row];
  result.invalid = invalid === undefined ? [] : (JSON.parse(invalid) as InvalidMark[]);
  if (c.fleetTime[row] !== undefined) result.clock = clockOf(c, row);
  if (c.schedulingClass[row] !== undefined) result.start = startOf(c, row);
  const barriers = c.barriers[row];
  result.barriers = barriers === undefined ? [] : barriersOf(barriers);
  result.instances = instances;
  const functionDigest = c.functionDigest[row];
  if (functionDigest !== undefined) result.functionDigest = functionDigest;
  const hostMemoryDropBytes = c.hostMemoryDropBytes[row];
  if (hostMemoryDropBytes !== undefined) result.hostMemoryDropBytes = Number(hostMemoryDropBytes);
  const measurements = c.measurements[row];
  if (measurements !== undefined) {
    result.measurements = JSON.parse(measurements) as Measurement[];
  }
  const conditions = c.conditions[row];
  if (conditions !== undefined) {
    result.conditions = JSON.parse(conditions) as Record<string, string>;
  }
  const telemetry = telemetryOf(c, row);
  if (telemetry !== undefined) result.telemetry = telemetry;
  result.sandboxDetails = recentDetails.parse(c.sandboxDetails[row] ?? '{}');
  return result as TrialResult;
}

/** Texts that were just parsed: a run has few kinds of them, and a million results share them. */
class RecentJson<T> {
  readonly #parsed = new Map<string, T>();

  parse(json: string): T {
    let value = this.#parsed.get(json);
    if (value === undefined) {
      value = JSON.parse(json) as T;
      if (this.#parsed.size >= RECENT_MAX) this.#parsed.clear();
      this.#parsed.set(json, value);
    }
    return value;
  }
}

const RECENT_MAX = 64;
const recentDetails = new RecentJson<Record<string, string>>();
const recentGaps = new RecentJson<SourceReport[]>();

function telemetryOf(c: ResultArrays, row: number): TrialResult['telemetry'] {
  const failure = c.telemetryFailure[row];
  if (failure !== undefined) return { failure };
  const rateHz = c.telemetryRateHz[row];
  if (rateHz === undefined) return undefined;
  const sources = c.telemetrySources[row];
  return {
    rateHz,
    achievedHz: c.telemetryAchievedHz[row] ?? 0,
    rounds: Number(c.telemetryRounds[row]),
    missed: Number(c.telemetryMissed[row]),
    latenessP50Ns: c.telemetryLatenessP50Ns[row] ?? 0n,
    latenessP99Ns: c.telemetryLatenessP99Ns[row] ?? 0n,
    latenessMaxNs: c.telemetryLatenessMaxNs[row] ?? 0n,
    cpuNs: c.telemetryCpuNs[row] ?? 0n,
    wallNs: c.telemetryWallNs[row] ?? 0n,
    cpus: c.telemetryCpus[row] ?? '',
    samples: Number(c.telemetrySamples[row]),
    thinnedBy: Number(c.telemetryThinnedBy[row]),
    blocks: Number(c.telemetryBlocks[row]),
    // Figures need the gaps alone, which many results share.
    sources:
      sources === undefined
        ? recentGaps.parse(c.telemetryGaps[row] ?? '[]')
        : (JSON.parse(sources) as SourceReport[]),
  };
}

/** A failure from its columns. */
export function rebuildFailure(
  code: string,
  message: string | undefined,
  hint: string | undefined,
): Failure {
  const failure: Failure = { code: code as ErrorCode, message: message ?? '' };
  if (hint !== undefined) failure.hint = hint;
  return failure;
}

function clockOf(c: ResultArrays, row: number): NonNullable<TrialResult['clock']> {
  const clock: NonNullable<TrialResult['clock']> = {
    fleetTime: c.fleetTime[row] ?? '',
    offsetNs: c.clockOffsetNs[row] ?? 0n,
    boundNs: c.clockBoundNs[row] ?? 0n,
    ageNs: c.clockAgeNs[row] ?? 0n,
    probes: Number(c.clockProbes[row]),
    roundTripMinNs: c.clockRoundTripMinNs[row] ?? 0n,
    bracketed: c.bracketed[row] ?? false,
  };
  const burstNs = c.clockBurstNs[row];
  if (burstNs !== undefined) clock.burstNs = burstNs;
  const driftPpb = c.driftPpb[row];
  if (driftPpb !== undefined) clock.driftPpb = driftPpb;
  return clock;
}

function startOf(c: ResultArrays, row: number): StartRecord {
  const start: StartRecord = {
    targetFleetNs: c.targetFleetNs[row] ?? 0n,
    targetMonoNs: c.targetAtMonoNs[row] ?? 0n,
    actualMonoNs: c.actualAtMonoNs[row] ?? 0n,
    latenessNs: c.latenessNs[row] ?? 0n,
    schedulingClass: c.schedulingClass[row] ?? '',
    wave: c.wave[row] ?? 0,
    startedAtUtcNs: c.startedAtUtcNs[row] ?? 0n,
  };
  const schedulingReason = c.schedulingReason[row];
  if (schedulingReason !== undefined) start.schedulingReason = schedulingReason;
  return start;
}

function barriersOf(json: string): BarrierRecord[] {
  const records = JSON.parse(json) as Parameters<typeof BarrierRecord.decode>[0][];
  return records.map((record) => BarrierRecord.decode(record));
}
