import type { TrialResult } from '../../schemas/result.ts';
import type { SamplerReport, SourceReport } from '../../schemas/telemetry.ts';
import { quantile } from './quantile.ts';
import type { SampleFindings, SourceGap, TelemetrySummary } from './telemetry-summary.ts';

/** Below this share of the rate, series are not what was asked for. */
export const RATE_SHARE_MIN = 0.97;

/**
 * What of a trial's sources falls short of what was asked for, without numbers that differ from
 * trial to trial.
 */
export function sourceGaps(sources: readonly SourceReport[]): SourceReport[] {
  return sources.flatMap(({ source, unavailable, remedy, limitedBy }) => {
    if (unavailable === undefined && limitedBy === undefined) return [];
    return [
      {
        source,
        samples: 0,
        ...(unavailable === undefined ? {} : { unavailable }),
        ...(remedy === undefined ? {} : { remedy }),
        ...(limitedBy === undefined ? {} : { limitedBy }),
      },
    ];
  });
}

/** Counts what results say of their sampling; it keeps numbers and forgets the results. */
export class TelemetryTally {
  readonly #ratesHz = new Set<number>();
  readonly #achieved: number[] = [];
  readonly #cpu: number[] = [];
  readonly #latenessP50Ns: number[] = [];
  readonly #latenessP99Ns: number[] = [];
  readonly #failedDeviceIds = new Set<string>();
  readonly #slowDeviceIds = new Set<string>();
  readonly #gaps = new Map<string, { gap: SourceReport; deviceIds: Set<string> }>();
  readonly #sums = {
    sampled: 0,
    failed: 0,
    slow: 0,
    rounds: 0,
    missed: 0,
    thinned: 0,
    samples: 0,
    blocks: 0,
    announcing: 0,
  };
  #failure: string | undefined;
  #latenessMaxNs = 0;

  /** Adds all results of one trial. */
  add(results: readonly Pick<TrialResult, 'telemetry' | 'deviceId'>[]): void {
    for (const { telemetry, deviceId } of results) {
      if (telemetry === undefined) continue;
      if ('failure' in telemetry) {
        this.#sums.failed += 1;
        this.#failedDeviceIds.add(deviceId);
        this.#failure ??= telemetry.failure;
        continue;
      }
      const { rateHz, rounds, missed, wallNs } = telemetry;
      this.#sums.sampled += 1;
      this.#sums.rounds += rounds;
      this.#sums.missed += missed;
      this.#sums.samples += telemetry.samples;
      this.#sums.blocks += telemetry.blocks;
      if (telemetry.blocks > 0) this.#sums.announcing += 1;
      if (telemetry.thinnedBy > 1) this.#sums.thinned += 1;
      this.#ratesHz.add(rateHz);
      const achieved = telemetry.achievedHz / rateHz;
      if (Number.isFinite(achieved)) this.#achieved.push(achieved);
      if (isSlow(telemetry)) {
        this.#sums.slow += 1;
        this.#slowDeviceIds.add(deviceId);
      }
      if (wallNs > 0n) this.#cpu.push(Number(telemetry.cpuNs) / Number(wallNs));
      this.#latenessP50Ns.push(Number(telemetry.latenessP50Ns));
      this.#latenessP99Ns.push(Number(telemetry.latenessP99Ns));
      this.#latenessMaxNs = Math.max(this.#latenessMaxNs, Number(telemetry.latenessMaxNs));
      this.#addGaps(telemetry.sources, deviceId);
    }
  }

  /** What was counted. Undefined if no result tells of sampling. */
  summary(): TelemetrySummary | undefined {
    const { sampled, failed } = this.#sums;
    if (sampled + failed === 0) return undefined;
    const figures = {
      achievedMedian: quantile(this.#achieved, 0.5),
      achievedLeast: this.#achieved.length === 0 ? undefined : least(this.#achieved),
      latenessP50Ns: quantile(this.#latenessP50Ns, 0.5),
      latenessP99Ns: quantile(this.#latenessP99Ns, 0.5),
      latenessMaxNs: sampled === 0 ? undefined : this.#latenessMaxNs,
      cpuMedian: quantile(this.#cpu, 0.5),
      cpuMost: this.#cpu.length === 0 ? undefined : -least(this.#cpu.map((share) => -share)),
      failure: this.#failure,
    };
    const known = Object.entries(figures).filter(([, value]) => value !== undefined);
    return {
      ...this.#sums,
      ...(Object.fromEntries(known) as object),
      failedDeviceIds: [...this.#failedDeviceIds].toSorted(),
      ratesHz: [...this.#ratesHz].toSorted((a, b) => a - b),
      slowDeviceIds: [...this.#slowDeviceIds].toSorted(),
      gaps: [...this.#gaps]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { gap, deviceIds }]) => asGap(gap, deviceIds)),
    };
  }

  /** What is wrong with the samples of a run that has none. Undefined if none were announced. */
  allMissing(): SampleFindings | undefined {
    const { announcing, blocks } = this.#sums;
    if (announcing === 0) return undefined;
    return { missing: { trials: announcing, blocks }, damaged: 0, damage: [], throttled: [] };
  }

  #addGaps(sources: readonly SourceReport[], deviceId: string): void {
    for (const gap of sourceGaps(sources)) {
      const key = JSON.stringify([gap.source, gap.unavailable, gap.limitedBy, gap.remedy]);
      const known = this.#gaps.get(key);
      if (known !== undefined) known.deviceIds.add(deviceId);
      else if (this.#gaps.size < GAPS_MAX) {
        this.#gaps.set(key, { gap, deviceIds: new Set([deviceId]) });
      }
    }
  }
}

/** Of a short trial one round more or less is no matter of speed. */
function isSlow({ rateHz, rounds, missed, wallNs }: SamplerReport): boolean {
  const due = (rateHz * Number(wallNs)) / 1e9;
  return rounds + 1 < RATE_SHARE_MIN * due || missed - 1 > (1 - RATE_SHARE_MIN) * (rounds + missed);
}

/** Reasons that are told apart; a page of more is read by nobody. */
const GAPS_MAX = 200;

function asGap(
  { source, unavailable, remedy, limitedBy }: SourceReport,
  deviceIds: ReadonlySet<string>,
): SourceGap {
  return {
    source,
    deviceIds: [...deviceIds].toSorted(),
    ...(unavailable === undefined ? {} : { unavailable }),
    ...(remedy === undefined ? {} : { remedy }),
    ...(limitedBy === undefined ? {} : { limitedBy }),
  };
}

function least(values: readonly number[]): number {
  return values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY);
}
