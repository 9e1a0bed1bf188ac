import type { DuckDBConnection } from '@duckdb/node-api';
import { distinctResults } from '../analysis/distinct-results.ts';
import type { RunSummary } from '../analysis/run-summary.ts';
import { resultKey } from '../../schemas/result.ts';
import type { TrialResult } from '../../schemas/result.ts';
import { ChunkAppender } from './chunk-appender.ts';
import type { ResultSource } from './result-source.ts';

/** How many results gave way to others of the same key, and why. */
export type LeftOut = Pick<RunSummary['results'], 'duplicates' | 'superseded' | 'conflicting'>;

/** Results that are kept in memory at once to choose among them. */
const RESULTS_MAX = 20_000;

interface Group {
  readonly size: number;
  readonly lines: number[];
  readonly results: TrialResult[];
}

/**
 * Chooses among staged results of one key, by the rule of the analysis, and puts the lines of those
 * that give way into the table `dropped`. They are rare, so they are read again from the file; as
 * often as it takes for memory to stay bounded.
 */
export async function dropDuplicates(
  connection: DuckDBConnection,
  source: ResultSource,
): Promise<LeftOut> {
  await connection.run('CREATE TABLE dropped (line BIGINT)');
  await connection.run(
    `CREATE TABLE shared AS SELECT trial, attempt, device, count(*) AS size, false AS isDone
     FROM results GROUP BY trial, attempt, device HAVING count(*) > 1`,
  );
  const leftOut = { duplicates: 0, superseded: 0, conflicting: 0 };
  const dropped = await ChunkAppender.to(connection, 'dropped', [{ name: 'line', type: 'BIGINT' }]);
  for (;;) {
    const groups = await takeGroups(connection, source.run.runId);
    if (groups.size === 0) break;
    let line = 0;
    for await (const result of source.folder.streamResults(source)) {
      source.signal?.throwIfAborted();
      const key = resultKey(result);
      const group = groups.get(key);
      if (group !== undefined && group.lines.length < group.size) {
        group.lines.push(line);
        group.results.push(result);
        if (group.lines.length === group.size) {
          for (const one of choose(source.run.runId, group, leftOut)) dropped.append([one]);
          groups.delete(key);
        }
      }
      line += 1;
    }
  }
  dropped.close();
  return leftOut;
}

/** As many keys as may be kept in memory at once, or one. */
async function takeGroups(
  connection: DuckDBConnection,
  runId: string,
): Promise<Map<string, Group>> {
  const read = await connection.runAndReadAll(
    `WITH summed AS (
       SELECT *, sum(size) OVER (ORDER BY trial, attempt, device) AS total
       FROM shared WHERE NOT isDone)
     SELECT trial, attempt, device, size FROM summed
     WHERE total <= ${RESULTS_MAX} OR total = size`,
  );
  const groups = new Map<string, Group>();
  for (const [trialId, attempt, deviceId, size] of read.getRows()) {
    const id = { runId, trialId: String(trialId), deviceId: String(deviceId) };
    const key = resultKey({ ...id, attempt: Number(attempt) });
    groups.set(key, { size: Number(size), lines: [], results: [] });
  }
  await connection.run(
    `UPDATE shared SET isDone = true FROM (
       SELECT trial, attempt, device,
         sum(size) OVER (ORDER BY trial, attempt, device) AS total
       FROM shared WHERE NOT isDone) taken
     WHERE shared.trial = taken.trial AND shared.attempt = taken.attempt
       AND shared.device = taken.device
       AND (total <= ${RESULTS_MAX} OR total = shared.size)`,
  );
  return groups;
}

function choose(runId: string, { lines, results }: Group, leftOut: LeftOutCounts): number[] {
  const { results: kept, counts } = distinctResults(runId, results);
  leftOut.duplicates += counts.duplicates;
  leftOut.superseded += counts.superseded;
  leftOut.conflicting += counts.conflicting;
  const [chosen] = kept;
  const place = chosen === undefined ? -1 : results.indexOf(chosen);
  return lines.filter((_, index) => index !== place);
}

type LeftOutCounts = { -readonly [Name in keyof LeftOut]: number };
