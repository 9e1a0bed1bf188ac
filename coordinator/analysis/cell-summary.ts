import type { Cell } from '../../schemas/result.ts';
import { durationStatistics } from './duration-statistics.ts';
import { fleetInterval } from './fleet-interval.ts';
import { groupBy } from './measured-result.ts';
import type { MeasuredResult } from './measured-result.ts';
import { SPANS } from './metrics.ts';
import type { Measures } from './metrics.ts';
import { median } from './quantile.ts';
import type { CellSummary, SpanMedian, Unit } from './run-summary.ts';
import { wilsonInterval } from './wilson-interval.ts';

/**
 * Puts one cell into figures, trial by trial, and keeps numbers only. The unit of every interval is
 * one trial on one host: agents that share a host give one value together, their median, so they
 * don't narrow it.
 */
export class CellTally {
  readonly #cell: Cell;
  readonly #counts = { kept: 0, failed: 0, invalid: 0, unmeasured: 0, 'stood-down': 0 };
  readonly #failureCodes = new Map<string, number>();
  #independentAttempts = 0;
  #instancesFailed = 0;
  #instancesReported = 0;
  readonly #units: Unit[] = [];
  readonly #instanceMediansNs: number[] = [];
  readonly #instanceP95sNs: number[] = [];
  /** In the order of {@link SPANS}. */
  readonly #spansNs: number[][] = SPANS.map(() => []);

  constructor(cell: Cell) {
    this.#cell = cell;
  }

  /** Adds results of one trial, all of this cell. */
  add(measured: readonly MeasuredResult[]): void {
    const tried = measured.filter(({ outcome }) => outcome !== 'stood-down');
    for (const { outcome } of measured) this.#counts[outcome] += 1;
    for (const { result, measures, outcome } of tried) {
      this.#instancesFailed += measures.instancesFailed;
      this.#instancesReported += result.instances.length;
      if (outcome !== 'failed') continue;
      const code = result.failure?.code ?? 'INTERNAL';
      this.#failureCodes.set(code, (this.#failureCodes.get(code) ?? 0) + 1);
    }
    const groups = unitGroups(tried);
    this.#independentAttempts += groups.length;
    for (const group of groups) {
      const kept = group.filter(({ outcome }) => outcome === 'kept');
      if (kept.length > 0) this.#addUnit(kept);
    }
  }

  /**
   * The figures so far.
   *
   * @param coverage that intervals of the latency shall have, 0 to 1
   */
  summary(coverage: number): CellSummary {
    const { kept, failed, invalid, unmeasured } = this.#counts;
    const attempts = kept + failed + invalid + unmeasured;
    const valuesNs = this.#units.map(({ valueNs }) => valueNs);
    const latency = durationStatistics(valuesNs, coverage);
    const fleet = fleetInterval(this.#units, { coverage });
    const instanceMedianNs = median(this.#instanceMediansNs);
    const instanceP95Ns = median(this.#instanceP95sNs);
    return {
      cell: this.#cell,
      attempts,
      kept,
      failures: failed,
      failureCodes: Object.fromEntries(
        [...this.#failureCodes].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      ),
      invalid,
      unmeasured,
      stoodDown: this.#counts['stood-down'],
      ...failureRate(failed, attempts, this.#independentAttempts),
      instancesFailed: this.#instancesFailed,
      instancesReported: this.#instancesReported,
      ...(latency === undefined ? {} : { latency }),
      ...(fleet === undefined || fleet.hosts < 2 ? {} : { fleet }),
      ...(instanceMedianNs === undefined ? {} : { instanceMedianNs }),
      ...(instanceP95Ns === undefined ? {} : { instanceP95Ns }),
      spans: this.#spanMedians(),
      units: this.#units,
    };
  }

  #addUnit(sharing: readonly MeasuredResult[]): void {
    const [first] = sharing;
    const valueNs = medianOver(sharing, ({ latencyNs }) => latencyNs);
    if (first === undefined || valueNs === undefined) return;
    this.#units.push({
      trialId: first.result.trialId,
      attempt: first.result.attempt,
      host: first.host,
      ...(first.planned === undefined ? {} : { position: first.planned.position }),
      devices: sharing.length,
      valueNs,
    });
    push(
      this.#instanceMediansNs,
      medianOver(sharing, ({ instanceMedianNs }) => instanceMedianNs),
    );
    push(
      this.#instanceP95sNs,
      medianOver(sharing, ({ instanceP95Ns }) => instanceP95Ns),
    );
    this.#spansNs.forEach((values, index) => {
      push(
        values,
        medianOver(sharing, ({ spansNs }) => spansNs[index]),
      );
    });
  }

  #spanMedians(): SpanMedian[] {
    return SPANS.flatMap(({ span, from, to }, index): SpanMedian[] => {
      const values = this.#spansNs[index] ?? [];
      const medianNs = median(values);
      return medianNs === undefined ? [] : [{ span, from, to, n: values.length, medianNs }];
    });
  }
}

function unitGroups(measured: readonly MeasuredResult[]): MeasuredResult[][] {
  if (measured.length < 2) return measured.length === 0 ? [] : [[...measured]];
  const keyOf = ({ result: { attempt }, host }: MeasuredResult): string =>
    attempt === 1 ? host : `${attempt} ${host}`;
  return [...groupBy(measured, keyOf).values()];
}

/** The rate is of attempts; its interval rests on trials on hosts, which alone are independent. */
function failureRate(
  failures: number,
  attempts: number,
  independent: number,
): Pick<CellSummary, 'failureRate' | 'failureInterval'> {
  if (attempts === 0) return {};
  const rate = failures / attempts;
  const events = failures === attempts ? independent : rate * independent;
  const interval = wilsonInterval(events, independent);
  return {
    failureRate: rate,
    ...(interval === undefined ? {} : { failureInterval: interval }),
  };
}

/** The median over the agents of one host; most often there is one. */
function medianOver(
  sharing: readonly MeasuredResult[],
  read: (measures: Measures) => number | undefined,
): number | undefined {
  const [only] = sharing;
  if (only !== undefined && sharing.length === 1) return read(only.measures);
  const values: number[] = [];
  for (const { measures } of sharing) push(values, read(measures));
  return median(values);
}

function push(values: number[], value: number | undefined): void {
  if (value !== undefined) values.push(value);
}
