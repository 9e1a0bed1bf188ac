import type { Experiment } from '../../schemas/experiment.ts';
import type { Instance, Phase, PhaseStamps, TrialResult } from '../../schemas/result.ts';
import { median, quantile } from './quantile.ts';
import type { SpanName } from './run-summary.ts';

/** What a procedure measures. */
export type ProcedureKind = Experiment['procedure']['kind'];

/** The spans of a sandbox's life, in order, by the phases at their ends. */
export const SPANS: readonly {
  readonly span: SpanName;
  readonly from: Phase;
  readonly to: Phase;
}[] = [
  { span: 'request-spawn', from: 'request', to: 'spawn' },
  { span: 'spawn-guestEntry', from: 'spawn', to: 'guestEntry' },
  { span: 'guestEntry-appMain', from: 'guestEntry', to: 'appMain' },
  { span: 'spawn-appMain', from: 'spawn', to: 'appMain' },
  { span: 'appMain-ready', from: 'appMain', to: 'ready' },
  { span: 'ready-firstByte', from: 'ready', to: 'firstByte' },
  { span: 'firstByte-lastByte', from: 'firstByte', to: 'lastByte' },
  { span: 'teardown', from: 'teardownBegin', to: 'teardownEnd' },
];

/** What one result measures. Absent is absent, never 0; all in ns. */
export interface Measures {
  /**
   * Of a cold-start: request to first byte of its one sandbox. Of a burst: request of the trial
   * to the last byte of the last sandbox. Absent for a failed result or without the stamps.
   */
  readonly latencyNs?: number;
  /**
   * Of a burst: median and p95 of its sandboxes' own times to first byte. Absent as the latency.
   */
  readonly instanceMedianNs?: number;
  readonly instanceP95Ns?: number;
  /** Per span, the median over the sandboxes that saw both ends. */
  readonly spansNs: ReadonlyMap<SpanName, number>;
  readonly instancesFailed: number;
}

/** The time between two stamps, ns. Undefined if one of them is absent. */
export function spanNs(phases: PhaseStamps, from: Phase, to: Phase): number | undefined {
  const begin = phases[from];
  const end = phases[to];
  return begin === undefined || end === undefined ? undefined : Number(end - begin);
}

/** What a result measures under a procedure. */
export function measure(result: TrialResult, kind: ProcedureKind): Measures {
  const instancesFailed = result.instances.filter(({ status }) => status === 'failed').length;
  const spansNs = new Map<SpanName, number>();
  if (result.status === 'failed') return { spansNs, instancesFailed };
  for (const { span, from, to } of SPANS) {
    const value = median(defined(result.instances.map(({ phases }) => spanNs(phases, from, to))));
    if (value !== undefined) spansNs.set(span, value);
  }
  const latencyNs = kind === 'burst' ? makespanNs(result) : coldStartNs(result.instances);
  if (latencyNs === undefined) return { spansNs, instancesFailed };
  if (kind !== 'burst') return { latencyNs, spansNs, instancesFailed };
  const own = defined(result.instances.map(({ phases }) => spanNs(phases, 'request', 'firstByte')));
  const instanceMedianNs = median(own);
  const instanceP95Ns = quantile(own, 0.95);
  return {
    latencyNs,
    ...(instanceMedianNs === undefined ? {} : { instanceMedianNs }),
    ...(instanceP95Ns === undefined ? {} : { instanceP95Ns }),
    spansNs,
    instancesFailed,
  };
}

function coldStartNs(instances: readonly Instance[]): number | undefined {
  const [only] = instances;
  // More than one sandbox is no cold-start: no figure rather than a wrong one.
  if (only === undefined || instances.length > 1) return undefined;
  return spanNs(only.phases, 'request', 'firstByte');
}

/** The batch is the unit: it lasts until its last sandbox has answered. */
function makespanNs(result: TrialResult): number | undefined {
  if (result.instances.length !== result.cell.instances) return undefined;
  let begin: bigint | undefined;
  let end: bigint | undefined;
  for (const { phases } of result.instances) {
    if (phases.request === undefined || phases.lastByte === undefined) return undefined;
    if (begin === undefined || phases.request < begin) begin = phases.request;
    if (end === undefined || phases.lastByte > end) end = phases.lastByte;
  }
  return begin === undefined || end === undefined ? undefined : Number(end - begin);
}

/** The values that are there. */
export function defined<T>(values: readonly (T | undefined)[]): T[] {
  return values.filter((value) => value !== undefined);
}
