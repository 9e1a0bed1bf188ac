import { IMPORTED_DEVICE_ID } from '../../schemas/provenance.ts';
import type { PlannedTrial } from '../../schemas/plan.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type { Cell, Instance, PhaseStamps, TrialResult } from '../../schemas/result.ts';
import type { Draft, SourceValue } from './draft.ts';
import type { Findings } from './findings.ts';

/** A trial with what a source tells of it. */
export interface ImportedTrial {
  readonly planned: PlannedTrial;
  readonly result: TrialResult;
}

/** Values that make one trial, with their places in the source. */
interface TrialValues {
  readonly cell: Cell;
  readonly values: readonly SourceValue[];
  readonly places: readonly number[];
}

/**
 * Makes a trial and a result of each value, or of each batch, in the order of the source. Only the
 * stamps that the source has are there; no clock and no start, because nothing is known of them.
 */
export function importedTrials(runId: string, draft: Draft, findings: Findings): ImportedTrial[] {
  const trials = trialsOf(draft);
  const digits = Math.max(4, String(trials.length).length);
  const repetitions = new Map<string, number>();
  return trials.map((trial, position) => {
    const { cell, places } = trial;
    const repetition = repetitions.get(cell.id) ?? 0;
    repetitions.set(cell.id, repetition + 1);
    const trialId = `t${String(position + 1).padStart(digits, '0')}`;
    const isTyped = findings.unmeasuredCells.has(cell.id);
    const failure = trial.values.find((value) => value.failure !== undefined)?.failure;
    const isRepeated = places.some((place) => findings.repeated.has(place));
    const lines = trial.values.map(({ line }) => line);
    const result: TrialResult = {
      protocol: PROTOCOL_VERSION,
      runId,
      trialId,
      attempt: 1,
      deviceId: IMPORTED_DEVICE_ID,
      cell,
      reportedBy: 'import',
      status: failure === undefined ? 'ok' : 'failed',
      ...(failure === undefined ? {} : { failure }),
      invalid: isRepeated
        ? [{ code: 'duplicated-row', message: `row ${lines.join(', ')} repeats an earlier one` }]
        : [],
      barriers: [],
      ...measurementsOf(draft, trial, isTyped),
      sandboxDetails: {},
    };
    return {
      planned: { trialId, position, repetition, cell },
      result,
    };
  });
}

function trialsOf({ shape, values }: Draft): TrialValues[] {
  if (shape !== 'batch-of-rows') {
    return values.map((value, place) => ({ cell: value.cell, values: [value], places: [place] }));
  }
  const batches = new Map<Cell, { values: SourceValue[]; places: number[] }>();
  for (const [place, value] of values.entries()) {
    let batch = batches.get(value.cell);
    if (batch === undefined) batches.set(value.cell, (batch = { values: [], places: [] }));
    batch.values.push(value);
    batch.places.push(place);
  }
  return [...batches].map(([cell, batch]) => ({ cell, ...batch }));
}

/** What was measured; what was typed as 0 was not. */
function measurementsOf(
  draft: Draft,
  trial: TrialValues,
  isTyped: boolean,
): Pick<TrialResult, 'instances' | 'hostMemoryDropBytes'> {
  if (draft.shape === 'memory') {
    const [only] = trial.values;
    const isAbsent = isTyped || only === undefined;
    return { instances: [], ...(isAbsent ? {} : { hostMemoryDropBytes: only.value }) };
  }
  const instances = instancesOf(draft, trial);
  return { instances: isTyped ? instances.map((one) => ({ ...one, phases: {} })) : instances };
}

function instancesOf({ shape, procedure }: Draft, { cell, values }: TrialValues): Instance[] {
  const [only] = values;
  // The end of a batch is all that is known of each of its sandboxes.
  const sources =
    shape === 'batch-end' && only !== undefined
      ? Array.from({ length: cell.instances }, () => only)
      : values;
  return sources.map(({ value, failure }, index): Instance => {
    const end = BigInt(value);
    const phases: PhaseStamps =
      procedure === 'warm-call'
        ? { call: 0n, lastByte: end }
        : procedure === 'cold-start'
          ? { request: 0n, firstByte: end }
          : { request: 0n, ...(shape === 'batch-end' ? {} : { firstByte: end }), lastByte: end };
    return {
      index,
      address: '',
      status: failure === undefined ? 'ok' : 'failed',
      ...(failure === undefined ? {} : { failure }),
      phases,
    };
  });
}
