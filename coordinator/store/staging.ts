import type { DuckDBConnection } from '@duckdb/node-api';
import { hostsOf } from '../analysis/co-location.ts';
import { measureContext } from '../analysis/measured-result.ts';
import { measure } from '../analysis/metrics.ts';
import { outcomeOf } from '../analysis/result-outcome.ts';
import type { RunSummary } from '../analysis/run-summary.ts';
import type { Plan } from '../../schemas/plan.ts';
import { TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';
import { ChunkAppender } from './chunk-appender.ts';
import { columnDefinitions, isHeld } from './column.ts';
import type { Column, ColumnValue } from './column.ts';
import { dropDuplicates } from './drop-duplicates.ts';
import { INSTANCE_VALUES, REPEATED_COLUMNS } from './instance-columns.ts';
import { RESULT_VALUES } from './result-columns.ts';
import type { ResultRow } from './result-columns.ts';
import type { ResultSource } from './result-source.ts';

const RESULT_STAGE: readonly Column[] = [
  { name: 'line', type: 'BIGINT' },
  { name: 'placeInPlan', type: 'BIGINT' },
  ...RESULT_VALUES,
];
const INSTANCE_STAGE: readonly Column[] = [
  { name: 'line', type: 'BIGINT' },
  { name: 'place', type: 'INTEGER' },
  ...REPEATED_COLUMNS,
  ...INSTANCE_VALUES,
];
const REPEATED_PLACES = REPEATED_COLUMNS.map((column) =>
  RESULT_VALUES.findIndex(({ name }) => name === column.name),
);

/**
 * Reads a run's results into the tables `results` and `instances`, keyed by the number of the
 * result in its file, and the numbers of those that give way to others into the table `dropped`.
 *
 * @returns what was read and left out, as the analysis counts it
 * @throws LockstepError RUN_DAMAGED at the first damage.
 */
export async function stageResults(
  connection: DuckDBConnection,
  source: ResultSource,
): Promise<RunSummary['results']> {
  await connection.run(`CREATE TABLE results (${columnDefinitions(RESULT_STAGE)})`);
  await connection.run(`CREATE TABLE instances (${columnDefinitions(INSTANCE_STAGE)})`);
  const results = await ChunkAppender.to(connection, 'results', RESULT_STAGE);
  const instances = await ChunkAppender.to(connection, 'instances', INSTANCE_STAGE);
  const rowOf = resultRows(source.run, source.plan);
  const places = new Map(source.plan?.trials.map(({ trialId }, place) => [trialId, place]));
  let read = 0;
  for await (const result of source.folder.streamResults(source)) {
    source.signal?.throwIfAborted();
    const values = valuesOf(rowOf(result));
    results.append([read, places.get(result.trialId), ...values.result]);
    const repeated = REPEATED_PLACES.map((place) => values.result[place]);
    for (const [place, instance] of values.instances.entries()) {
      instances.append([read, place, ...repeated, ...instance]);
    }
    read += 1;
  }
  results.close();
  instances.close();
  const leftOut = await dropDuplicates(connection, source);
  const gone = leftOut.duplicates + leftOut.superseded + leftOut.conflicting;
  return { read, distinct: read - gone, foreign: 0, ...leftOut };
}

/** What a result counts as and where it belongs, by the rules of the analysis. */
function resultRows(run: Run, plan: Plan | undefined): (result: TrialResult) => ResultRow {
  const none: Plan = {
    protocol: run.protocol,
    seed: 0,
    order: 'fixed',
    cells: [],
    skipped: [],
    trials: [],
  };
  const { kind, plannedById, hostOf } = measureContext(run, plan ?? none, hostsOf(run.devices));
  return (result) => {
    const { latencyNs } = measure(result, kind);
    const planned = plannedById.get(result.trialId);
    return {
      result,
      host: hostOf(result.deviceId),
      outcome: outcomeOf(result, latencyNs),
      ...(latencyNs === undefined ? {} : { latencyNs }),
      ...(planned === undefined ? {} : { planned }),
    };
  };
}

interface StagedValues {
  readonly result: ColumnValue[];
  readonly instances: ColumnValue[][];
}

/** The values of a result's columns; what they can't hold stands in one of them as JSON. */
function valuesOf(row: ResultRow): StagedValues {
  const result = RESULT_VALUES.map(({ read }) => read(row));
  const instances = row.result.instances.map((one) => INSTANCE_VALUES.map(({ read }) => read(one)));
  if (result.every(isHeld) && instances.every((values) => values.every(isHeld))) {
    return { result, instances };
  }
  const exact = { ...row, exactJson: JSON.stringify(TrialResult.encode(row.result)) };
  return {
    result: RESULT_VALUES.map(({ read }) => held(read(exact))),
    instances: instances.map((values) => values.map(held)),
  };
}

function held(value: ColumnValue): ColumnValue {
  return isHeld(value) ? value : undefined;
}
