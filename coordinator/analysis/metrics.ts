import type { Experiment } from '../../schemas/experiment.ts';
import type { Instance, Phase, PhaseStamps, TrialResult } from '../../schemas/result.ts';
import { median, quantile } from './quantile.ts';
import type { Metric, SpanName } from './run-summary.ts';

/** What a procedure measures. */
export type ProcedureKind = Experiment['procedure']['kind'];

/** What the latency of a procedure is. */
export const METRIC_OF: Readonly<Record<ProcedureKind, Metric>> = {
  'cold-start': 'cold-start',
  burst: 'makespan',
  'warm-call': 'warm-call',
  startup: 'cold-start',
  warm: 'call',
  compute: 'call',
  alloc: 'call',
  read: 'call',
  unzip: 'call',
  'idle-memory': 'elapsed',
  'idle-cpu': 'elapsed',
  throughput: 'elapsed',
  'open-loop': 'elapsed',
  density: 'elapsed',
  churn: 'elapsed',
  'no-op': 'lateness',
};

/**
 * The spans of a sandbox's life, in order, by the phases at their ends. Some are parts of others,
 * because not every sandbox shows every phase.
 */
export const SPANS: readonly {
  readonly span: SpanName;
  readonly from: Phase;
  readonly to: Phase;
}[] = [
  { span: 'request-spawn', from: 'request', to: 'spawn' },
  { span: 'spawn-gateOpen', from: 'spawn', to: 'gateOpen' },
  { span: 'spawn-guestEntry', from: 'spawn', to: 'guestEntry' },
  { span: 'gateOpen-guestEntry', from: 'gateOpen', to: 'guestEntry' },
  { span: 'guestEntry-appMain', from: 'guestEntry', to: 'appMain' },
  { span: 'gateOpen-appMain', from: 'gateOpen', to: 'appMain' },
  { span: 'spawn-appMain', from: 'spawn', to: 'appMain' },
  { span: 'appMain-ready', from: 'appMain', to: 'ready' },
  { span: 'ready-call', from: 'ready', to: 'call' },
  { span: 'ready-firstByte', from: 'ready', to: 'firstByte' },
  { span: 'call-firstByte', from: 'call', to: 'firstByte' },
  { span: 'firstByte-lastByte', from: 'firstByte', to: 'lastByte' },
  { span: 'teardown', from: 'teardownBegin', to: 'teardownEnd' },
];

/** What one result measures. Absent is absent, never 0; all in ns. */
export interface Measures {
  /**
   * Of a cold-start: request to first byte of its one sandbox. Of a burst: request of the trial
   * to the last byte of the last sandbox. Of a warm-call: the first call to the last byte of the
   * last sandbox. Of work that is called: the first call, of a warm trial the median of its calls.
   * Of what is watched or loaded: from the first request to the end of use. Of a no-op, which
   * starts no sandbox: the lateness of the start, which may be
   * negative. Absent for a failed result or without the stamps.
   */
  readonly latencyNs?: number;
  /**
   * Of a burst: median and p95 of its sandboxes' own times to first byte. Absent as the latency.
   */
  readonly instanceMedianNs?: number;
  readonly instanceP95Ns?: number;
  /**
   * In the order of {@link SPANS}, the median over the sandboxes that saw both ends. Empty for a
   * failed result.
   */
  readonly spansNs: readonly (number | undefined)[];
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
  if (result.status === 'failed') return { spansNs: [], instancesFailed };
  const spansNs = SPANS.map(({ from, to }) => medianSpanNs(result.instances, from, to));
  const latencyNs = latencyOf(result, kind);
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

function medianSpanNs(instances: readonly Instance[], from: Phase, to: Phase): number | undefined {
  const [only] = instances;
  // Most trials have one sandbox, and runs may have a million trials.
  if (only !== undefined && instances.length === 1) return spanNs(only.phases, from, to);
  return median(defined(instances.map(({ phases }) => spanNs(phases, from, to))));
}

function latencyOf(result: TrialResult, kind: ProcedureKind): number | undefined {
  switch (kind) {
    case 'cold-start':
    case 'startup':
      return coldStartNs(result.instances);
    case 'warm':
      return callNs(result, () => true);
    case 'compute':
    case 'alloc':
    case 'read':
    case 'unzip':
      return callNs(result, (call) => call === '1');
    case 'idle-memory':
    case 'idle-cpu':
    case 'throughput':
    case 'open-loop':
    case 'density':
    case 'churn':
      return elapsedNs(result);
    case 'burst':
      return batchNs(result, 'request');
    case 'warm-call':
      return batchNs(result, 'call');
    case 'no-op':
      return result.start === undefined ? undefined : Number(result.start.latenessNs);
  }
}

function coldStartNs(instances: readonly Instance[]): number | undefined {
  const [only] = instances;
  // More than one sandbox is no cold-start: no figure rather than a wrong one.
  if (only === undefined || instances.length > 1) return undefined;
  return spanNs(only.phases, 'request', 'firstByte');
}

/** The median over the calls that are meant, of all sandboxes. */
function callNs(
  { measurements = [] }: TrialResult,
  isMeant: (call: string | undefined) => boolean,
): number | undefined {
  return median(
    measurements
      .filter(({ measure, labels }) => measure === 'call.duration' && isMeant(labels?.call))
      .map(({ value }) => value),
  );
}

/** From the first request to the end of the last sandbox's use. */
function elapsedNs({ instances }: TrialResult): number | undefined {
  let begin: bigint | undefined;
  let end: bigint | undefined;
  for (const { request, teardownBegin } of instances.map(({ phases }) => phases)) {
    if (request !== undefined && (begin === undefined || request < begin)) begin = request;
    if (teardownBegin !== undefined && (end === undefined || teardownBegin > end)) {
      end = teardownBegin;
    }
  }
  return begin === undefined || end === undefined ? undefined : Number(end - begin);
}

/** The batch is the unit: it lasts until its last sandbox has answered. */
function batchNs(result: TrialResult, from: 'request' | 'call'): number | undefined {
  if (result.instances.length !== result.cell.instances) return undefined;
  let begin: bigint | undefined;
  let end: bigint | undefined;
  for (const { phases } of result.instances) {
    const first = phases[from];
    const last = phases.lastByte;
    if (first === undefined || last === undefined) return undefined;
    if (begin === undefined || first < begin) begin = first;
    if (end === undefined || last > end) end = last;
  }
  return begin === undefined || end === undefined ? undefined : Number(end - begin);
}

/** The values that are there. */
export function defined<T>(values: readonly (T | undefined)[]): T[] {
  return values.filter((value) => value !== undefined);
}
