import type { DuckDBConnection } from '@duckdb/node-api';
import type { Column } from './column.ts';

/** The columns of the view `measurements`: a row per figure that a procedure measured. */
export const MEASUREMENT_COLUMNS: readonly Column[] = [
  { name: 'run', type: 'VARCHAR' },
  { name: 'trial', type: 'VARCHAR' },
  { name: 'attempt', type: 'BIGINT' },
  { name: 'device', type: 'VARCHAR' },
  { name: 'cell', type: 'VARCHAR' },
  { name: 'sandbox', type: 'VARCHAR' },
  { name: 'function', type: 'VARCHAR' },
  { name: 'outcome', type: 'VARCHAR' },
  { name: 'measure', type: 'VARCHAR' },
  { name: 'instance', type: 'INTEGER' },
  { name: 'labels', type: 'VARCHAR' },
  { name: 'value', type: 'DOUBLE' },
];

const OF_RESULT = ['run', 'trial', 'attempt', 'device', 'cell', 'sandbox', 'function', 'outcome'];

/** Makes the view of the column `measurements` of the table `results`. */
export async function makeMeasurementView(connection: DuckDBConnection): Promise<void> {
  const shape = '[{"measure":"VARCHAR","instance":"INTEGER","labels":"JSON","value":"DOUBLE"}]';
  await connection.run(`
    CREATE VIEW measurements AS
    SELECT ${OF_RESULT.join(', ')}, one.measure AS measure, one.instance AS instance,
      CAST(one.labels AS VARCHAR) AS labels, one.value AS value
    FROM (
      SELECT ${OF_RESULT.join(', ')}, unnest(from_json(measurements, '${shape}')) AS one
      FROM results
      WHERE measurements IS NOT NULL
    )`);
}
