import type { Plan } from '../../schemas/plan.ts';
import type { Cell, TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';
import { summariseCell } from './cell-summary.ts';
import { hostsOf } from './co-location.ts';
import { distinctResults } from './distinct-results.ts';
import { groupBy, measureResults } from './measured-result.ts';
import type { MeasuredResult } from './measured-result.ts';
import { METRIC_OF } from './metrics.ts';
import { notesOf } from './notes.ts';
import { SUMMARY_VERSION } from './run-summary.ts';
import type { Exception, RunSummary } from './run-summary.ts';
import { summariseStart } from './start-summary.ts';

/**
 * Puts a run into figures. Pure: the order of the results and copies among them change nothing
 * but the count of copies. Works with no results, and while a run still goes on.
 *
 * @param results of this run as recorded, in any order; those of other runs are left out, counted
 */
export function summarise(run: Run, plan: Plan, results: readonly TrialResult[]): RunSummary {
  const kind = run.experiment.procedure.kind;
  const distinct = distinctResults(run.runId, results);
  const hosts = hostsOf(run.devices);
  const measured = measureResults(distinct.results, plan, kind, hosts);
  const byCell = groupBy(measured, ({ result }) => result.cell.id);
  const withoutNotes = {
    summaryVersion: SUMMARY_VERSION,
    runId: run.runId,
    experiment: run.experiment.experiment,
    question: run.experiment.question,
    state: run.state,
    metric: METRIC_OF[kind],
    trials: { planned: plan.trials.length, ...countTrials(measured) },
    results: distinct.counts,
    hosts,
    cells: cellsOf(plan, measured).map((cell) => summariseCell(cell, byCell.get(cell.id) ?? [])),
    start: summariseStart(measured, run.devices, run.experiment.waves),
    exceptions: measured.flatMap(exceptionOf),
  } as const;
  return { ...withoutNotes, notes: notesOf({ run, plan, measured, summary: withoutNotes }) };
}

/** The plan's cells in its order, then any that only results know. */
function cellsOf(plan: Plan, measured: readonly MeasuredResult[]): Cell[] {
  const skipped = new Set(plan.skipped.map(({ cell }) => cell.id));
  const planned = plan.cells.filter(({ id }) => !skipped.has(id));
  const cells = new Map(planned.map((cell) => [cell.id, cell]));
  for (const { result } of measured) {
    if (!cells.has(result.cell.id)) cells.set(result.cell.id, result.cell);
  }
  return [...cells.values()];
}

function countTrials(measured: readonly MeasuredResult[]): { done: number; stoodDown: number } {
  const counts = { done: 0, stoodDown: 0 };
  for (const results of groupBy(measured, ({ result }) => result.trialId).values()) {
    const wasTried = results.some(
      ({ result, outcome }) => outcome !== 'stood-down' && result.start !== undefined,
    );
    const isCalledOff = results.some(({ outcome }) => outcome === 'stood-down');
    if (!wasTried && isCalledOff) counts.stoodDown += 1;
    else counts.done += 1;
  }
  return counts;
}

function exceptionOf({ result, outcome, planned }: MeasuredResult): Exception[] {
  if (outcome === 'kept') return [];
  return [
    {
      kind: outcome,
      trialId: result.trialId,
      attempt: result.attempt,
      ...(planned === undefined ? {} : { position: planned.position }),
      deviceId: result.deviceId,
      cellId: result.cell.id,
      marks: result.invalid,
    },
  ];
}
