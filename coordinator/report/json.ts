import { distinctResults } from '../analysis/distinct-results.ts';
import { measureResults } from '../analysis/measured-result.ts';
import { orderStatement } from '../analysis/order-statement.ts';
import type { RunSummary } from '../analysis/run-summary.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { Run } from '../../schemas/run.ts';

/** The version of the document's shape; it rises when a field changes its meaning or goes. */
export const JSON_SCHEMA_VERSION = 1;

/**
 * A run's figures as one JSON document:
 *
 * - `schemaVersion`: {@link JSON_SCHEMA_VERSION}
 * - `answer`: the order of the sandboxes as a sentence
 * - `run`: the run's record, as in run.json
 * - `plan`: `order`, `seed`, `skipped`
 * - `summary`: {@link RunSummary}; durations in ns as numbers, absent fields are absent
 * - `results`: one entry per distinct result, by place in the plan: `trialId`, `attempt`,
 *   `position`, `repetition`, `cell` (its id), `device`, `host`, `outcome`, `latencyNs`,
 *   `failureCode`, `invalidCodes`
 *
 * Instants stand in results.ndjson alone. The text ends with a line end.
 */
export function renderJson(
  run: Run,
  plan: Plan,
  results: readonly TrialResult[],
  summary: RunSummary,
): string {
  const kind = run.experiment.procedure.kind;
  const distinct = distinctResults(run.runId, results).results;
  const measured = measureResults(distinct, plan, kind, summary.hosts);
  const document = {
    schemaVersion: JSON_SCHEMA_VERSION,
    answer: orderStatement(summary),
    run: Run.encode(run),
    plan: { order: plan.order, seed: plan.seed, skipped: plan.skipped },
    summary,
    results: measured.map(({ result, measures, outcome, host, planned }) => ({
      trialId: result.trialId,
      attempt: result.attempt,
      position: planned?.position,
      repetition: planned?.repetition,
      cell: result.cell.id,
      device: result.deviceId,
      host,
      outcome,
      latencyNs: measures.latencyNs,
      failureCode: result.failure?.code,
      invalidCodes: result.invalid.map(({ code }) => code),
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
