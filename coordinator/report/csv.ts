import { hostsOf } from '../analysis/co-location.ts';
import { measureContext, measureTrial } from '../analysis/measured-result.ts';
import type { MeasuredResult } from '../analysis/measured-result.ts';
import type { RecordedTrials } from '../analysis/recorded-trials.ts';
import { fleetLatenessNs } from '../analysis/start-summary.ts';
import type { Plan } from '../../schemas/plan.ts';
import { PHASES } from '../../schemas/result.ts';
import type { Instance, Phase, TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';

/** A number, or text. Absent is an empty field, never 0. */
type Field = number | bigint | string | undefined;

interface Row {
  readonly run: Run;
  readonly measured: MeasuredResult;
  /** Absent if the trial failed before a sandbox was started. */
  readonly instance: Instance | undefined;
}

type Columns = Readonly<Record<string, (row: Row) => Field>>;

const TRIAL_COLUMNS: Columns = {
  run: ({ run }) => run.runId,
  trial: ({ measured }) => measured.result.trialId,
  repetition: ({ measured }) => measured.planned?.repetition,
  position: ({ measured }) => measured.planned?.position,
  cell: ({ measured }) => measured.result.cell.id,
  sandbox: ({ measured }) => measured.result.cell.sandbox,
  function: ({ measured }) => measured.result.cell.function,
  instances: ({ measured }) => measured.result.cell.instances,
  device: ({ measured }) => measured.result.deviceId,
  host: ({ measured }) => measured.host,
  attempt: ({ measured }) => measured.result.attempt,
  reportedBy: ({ measured }) => measured.result.reportedBy,
  outcome: ({ measured }) => measured.outcome,
  status: ({ measured }) => measured.result.status,
  failureCode: ({ measured }) => measured.result.failure?.code,
  failureMessage: ({ measured }) => measured.result.failure?.message,
  invalidCodes: ({ measured }) => codes(measured.result),
  latencyNs: ({ measured }) => measured.measures.latencyNs,
  latenessNs: ({ measured }) => measured.result.start?.latenessNs,
  schedulingClass: ({ measured }) => measured.result.start?.schedulingClass,
  startedAtUtcNs: ({ measured }) => measured.result.start?.startedAtUtcNs,
  clockOffsetNs: ({ measured }) => measured.result.clock?.offsetNs,
  clockBoundNs: ({ measured }) => measured.result.clock?.boundNs,
  functionDigest: ({ measured }) => measured.result.functionDigest,
};

/** Phases whose columns came later. */
const LATER_PHASES: readonly Phase[] = ['gateOpen', 'call'];

const INSTANCE_COLUMNS: Columns = {
  instance: ({ instance }) => instance?.index,
  instanceStatus: ({ instance }) => instance?.status,
  instanceFailureCode: ({ instance }) => instance?.failure?.code,
  failedAfter: ({ instance }) => instance?.failedAfter,
  httpStatus: ({ instance }) => instance?.httpStatus,
  responseBytes: ({ instance }) => instance?.responseBytes,
  requestAtMonoNs: ({ instance }) => instance?.phases.request,
  ...Object.fromEntries(
    PHASES.filter((phase) => phase !== 'request' && !LATER_PHASES.includes(phase)).map(phaseColumn),
  ),
  memoryBytes: ({ instance }) => instance?.usage?.memoryBytes,
  memoryPeakBytes: ({ instance }) => instance?.usage?.memoryPeakBytes,
  cpuNs: ({ instance }) => instance?.usage?.cpuNs,
};

/** Columns that came later stand at the end, so that the place of the others stays. */
const LATER_COLUMNS: Columns = {
  ...Object.fromEntries(LATER_PHASES.map(phaseColumn)),
  wave: ({ measured }) => measured.result.start?.wave,
  fleetLatenessNs: ({ measured }) => fleetLatenessNs(measured.result),
  bracketed: ({ measured }) => truth(measured.result.clock?.bracketed),
  driftPpb: ({ measured }) => measured.result.clock?.driftPpb,
  schedulingReason: ({ measured }) => measured.result.start?.schedulingReason,
};

/**
 * Every result of a run as CSV (RFC 4180, with a header), a piece per trial: one row per sandbox,
 * and one for each result without any. Text is always quoted, numbers never; an empty field is
 * absent. Ordered by the plan, so the same results give the same bytes.
 */
export async function* csvDocument(
  run: Run,
  plan: Plan,
  trials: RecordedTrials,
): AsyncGenerator<string> {
  const columns = { ...TRIAL_COLUMNS, ...INSTANCE_COLUMNS, ...LATER_COLUMNS };
  const read = Object.values(columns);
  yield `${Object.keys(columns).map(encodeField).join(',')}\r\n`;
  const context = measureContext(run, plan, hostsOf(run.devices));
  for await (const trial of trials.read()) {
    const rows = measureTrial(trial, context).flatMap((measured) => rowsOf(run, measured));
    yield rows
      .map((row) => `${read.map((readField) => encodeField(readField(row))).join(',')}\r\n`)
      .join('');
  }
}

function rowsOf(run: Run, measured: MeasuredResult): Row[] {
  const instances = measured.result.instances.toSorted((a, b) => a.index - b.index);
  return (instances.length === 0 ? [undefined] : instances).map((instance) => ({
    run,
    measured,
    instance,
  }));
}

function encodeField(field: Field): string {
  if (field === undefined) return '';
  return typeof field === 'string' ? `"${field.replaceAll('"', '""')}"` : String(field);
}

function phaseColumn(phase: Phase): [string, (row: Row) => Field] {
  return [`${phase}SinceRequestNs`, ({ instance }) => sinceRequest(instance, phase)];
}

/** 1 for true and 0 for false, as spreadsheets and statistics programs all read it. */
function truth(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function codes(result: TrialResult): string | undefined {
  if (result.invalid.length === 0) return undefined;
  return result.invalid.map(({ code }) => code).join(' ');
}

function sinceRequest(instance: Instance | undefined, phase: Phase): bigint | undefined {
  const request = instance?.phases.request;
  const at = instance?.phases[phase];
  return request === undefined || at === undefined ? undefined : at - request;
}
