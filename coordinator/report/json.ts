import { compareSandboxes } from '../analysis/cell-comparisons.ts';
import { measureContext, measureTrial } from '../analysis/measured-result.ts';
import type { MeasureContext } from '../analysis/measured-result.ts';
import { orderStatement } from '../analysis/order-statement.ts';
import type { RecordedTrials } from '../analysis/recorded-trials.ts';
import type { RunSummary } from '../analysis/run-summary.ts';
import type { Plan } from '../../schemas/plan.ts';
import { Run } from '../../schemas/run.ts';
import { jsonPieces } from './json-pieces.ts';

/** The version of the document's shape; it rises when a field changes its meaning or goes. */
export const JSON_SCHEMA_VERSION = 1;

/**
 * A run's figures as one JSON document, in pieces:
 *
 * - `schemaVersion`: {@link JSON_SCHEMA_VERSION}
 * - `answer`: the order of the sandboxes as a sentence
 * - `run`: the run's record, as in run.json
 * - `plan`: `order`, `seed`, `skipped`
 * - `summary`: {@link RunSummary}; durations in ns as numbers, absent fields are absent
 * - `comparisons`: every sandbox against the baseline, per function and number of sandboxes
 * - `results`: one entry per distinct result, by place in the plan: `trialId`, `attempt`,
 *   `position`, `repetition`, `cell` (its id), `device`, `host`, `outcome`, `latencyNs`,
 *   `failureCode`, `invalidCodes`
 *
 * Instants stand in results.ndjson alone. The text ends with a line end.
 */
export async function* jsonDocument(
  run: Run,
  plan: Plan,
  trials: RecordedTrials,
  summary: RunSummary,
): AsyncGenerator<string> {
  yield* jsonPieces({
    schemaVersion: JSON_SCHEMA_VERSION,
    answer: orderStatement(summary),
    run: Run.encode(run),
    plan: { order: plan.order, seed: plan.seed, skipped: plan.skipped },
    summary,
    comparisons: compareSandboxes(summary),
    results: entries(trials, measureContext(run, plan, summary.hosts)),
  });
}

async function* entries(trials: RecordedTrials, context: MeasureContext): AsyncGenerator<object> {
  for await (const trial of trials.read()) {
    for (const { result, measures, outcome, host, planned } of measureTrial(trial, context)) {
      yield {
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
      };
    }
  }
}
