import type { Cell } from '../../schemas/result.ts';
import { durationStatistics } from './duration-statistics.ts';
import { groupBy, trialKey } from './measured-result.ts';
import type { MeasuredResult } from './measured-result.ts';
import { SPANS, defined } from './metrics.ts';
import type { Measures } from './metrics.ts';
import { median } from './quantile.ts';
import type { CellSummary, SpanMedian, Unit } from './run-summary.ts';
import type { Outcome } from './result-outcome.ts';
import { wilsonInterval } from './wilson-interval.ts';

/**
 * Puts one cell into figures. The unit of every interval is one trial on one host: agents that
 * share a host give one value together, their median, so they don't narrow it.
 *
 * @param measured the results of this cell
 */
export function summariseCell(cell: Cell, measured: readonly MeasuredResult[]): CellSummary {
  const tried = measured.filter(({ outcome }) => outcome !== 'stood-down');
  const kept = tried.filter(({ outcome }) => outcome === 'kept');
  const count = (wanted: Outcome): number =>
    measured.filter(({ outcome }) => outcome === wanted).length;
  const units = unitsOf(kept);
  const latency = durationStatistics(units.map(({ valueNs }) => valueNs));
  return {
    cell,
    attempts: tried.length,
    kept: kept.length,
    failures: count('failed'),
    failureCodes: failureCodes(tried),
    invalid: count('invalid'),
    unmeasured: count('unmeasured'),
    stoodDown: count('stood-down'),
    ...failureRate(tried),
    instancesFailed: tried.reduce((sum, { measures }) => sum + measures.instancesFailed, 0),
    instancesReported: tried.reduce((sum, { result }) => sum + result.instances.length, 0),
    ...(latency === undefined ? {} : { latency }),
    ...instanceTimes(kept),
    spans: spanMedians(kept),
    units,
  };
}

function unitGroups(measured: readonly MeasuredResult[]): MeasuredResult[][] {
  return [...groupBy(measured, ({ result, host }) => `${trialKey(result)} ${host}`).values()];
}

function unitsOf(kept: readonly MeasuredResult[]): Unit[] {
  return unitGroups(kept).flatMap((sharing): Unit[] => {
    const values = defined(sharing.map(({ measures }) => measures.latencyNs));
    const valueNs = median(values);
    const [first] = sharing;
    if (first === undefined || valueNs === undefined) return [];
    return [
      {
        trialId: first.result.trialId,
        attempt: first.result.attempt,
        host: first.host,
        ...(first.planned === undefined ? {} : { position: first.planned.position }),
        devices: values.length,
        valueNs,
      },
    ];
  });
}

/** The rate is of attempts; its interval rests on trials on hosts, which alone are independent. */
function failureRate(
  tried: readonly MeasuredResult[],
): Pick<CellSummary, 'failureRate' | 'failureInterval'> {
  if (tried.length === 0) return {};
  const failures = tried.filter(({ outcome }) => outcome === 'failed').length;
  const rate = failures / tried.length;
  const independent = unitGroups(tried).length;
  const events = failures === tried.length ? independent : rate * independent;
  const interval = wilsonInterval(events, independent);
  return {
    failureRate: rate,
    ...(interval === undefined ? {} : { failureInterval: interval }),
  };
}

function failureCodes(tried: readonly MeasuredResult[]): Record<string, number> {
  const failed = tried.filter(({ outcome }) => outcome === 'failed');
  const groups = groupBy(failed, ({ result }) => result.failure?.code ?? 'INTERNAL');
  return Object.fromEntries(
    [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([code, all]) => [code, all.length]),
  );
}

function instanceTimes(
  kept: readonly MeasuredResult[],
): Pick<CellSummary, 'instanceMedianNs' | 'instanceP95Ns'> {
  const instanceMedianNs = medianOverUnits(kept, (measures) => measures.instanceMedianNs)?.medianNs;
  const instanceP95Ns = medianOverUnits(kept, (measures) => measures.instanceP95Ns)?.medianNs;
  return {
    ...(instanceMedianNs === undefined ? {} : { instanceMedianNs }),
    ...(instanceP95Ns === undefined ? {} : { instanceP95Ns }),
  };
}

function spanMedians(kept: readonly MeasuredResult[]): SpanMedian[] {
  return SPANS.flatMap(({ span, from, to }): SpanMedian[] => {
    const over = medianOverUnits(kept, (measures) => measures.spansNs.get(span));
    return over === undefined ? [] : [{ span, from, to, ...over }];
  });
}

function medianOverUnits(
  kept: readonly MeasuredResult[],
  valueOf: (measures: Measures) => number | undefined,
): { readonly n: number; readonly medianNs: number } | undefined {
  const values = defined(
    unitGroups(kept).map((sharing) =>
      median(defined(sharing.map(({ measures }) => valueOf(measures)))),
    ),
  );
  const medianNs = median(values);
  return medianNs === undefined ? undefined : { n: values.length, medianNs };
}
