import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { STORE_SCHEMA_VERSION } from '../../../coordinator/store/column.ts';
import { openDatabase } from '../../../coordinator/store/duckdb.ts';
import { QUERY_TABLES, openQueryDatabase } from '../../../coordinator/store/query-database.ts';
import { RESULT_COLUMNS } from '../../../coordinator/store/result-columns.ts';
import { INSTANCE_COLUMNS } from '../../../coordinator/store/instance-columns.ts';
import { SAMPLE_COLUMNS } from '../../../coordinator/store/sample-columns.ts';
import { writeParquet } from '../../../coordinator/store/write-parquet.ts';
import { CHECKOUT } from '../../support/nats-server.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { recordRun, temporaryData } from '../../support/temporary-run.ts';

const DOCUMENT = await readFile(join(CHECKOUT, 'docs/data.md'), 'utf8');

/** The columns that a section of the document lists, as `name TYPE`. */
function documented(title: string): string[] {
  const section = DOCUMENT.split(/^##+ /m).find((part) => part.startsWith(`${title}\n`)) ?? '';
  return [...section.matchAll(/^\| `(\w+)` +\| ([A-Z]+) +\| \S/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  );
}

function listed(columns: readonly { name: string; type: string }[]): string[] {
  return columns.map(({ name, type }) => `${name} ${type}`);
}

test('docs/data.md lists the columns of every table, in order and with their types', (t) => {
  t.deepEqual(documented('results.parquet'), listed(RESULT_COLUMNS));
  t.deepEqual(documented('instances.parquet'), listed(INSTANCE_COLUMNS));
  t.deepEqual(documented('samples.parquet'), listed(SAMPLE_COLUMNS));
  t.deepEqual(documented('runs'), listed(QUERY_TABLES['runs'] ?? []));
  t.deepEqual(documented('measurements'), listed(QUERY_TABLES['measurements'] ?? []));
  t.deepEqual(documented('devices'), listed(QUERY_TABLES['devices'] ?? []));
});

test('docs/data.md names the version of the schema', (t) => {
  t.regex(DOCUMENT, new RegExp(`\`lockstepSchemaVersion\`.*now ${STORE_SCHEMA_VERSION}\\b`));
});

test('the Parquet files have the columns that are documented', async (t) => {
  const folder = await recordRun(await temporaryData(t), makeRun({ repetitions: 1 }));
  await writeParquet(folder.folder);
  const database = await openDatabase({ memoryMb: 200 });
  try {
    const connection = await database.connect();
    for (const table of ['results', 'instances']) {
      const path = folder.path(`${table}.parquet`);
      const read = await connection.runAndReadAll(`DESCRIBE FROM read_parquet('${path}')`);
      const columns = read.getRows().map(([name, type]) => `${String(name)} ${String(type)}`);
      t.deepEqual(columns, documented(`${table}.parquet`));
    }
  } finally {
    database.close();
  }
});

test('the tables of a query have the columns that are documented', async (t) => {
  const dataFolder = await temporaryData(t);
  await recordRun(dataFolder, makeRun({ repetitions: 1 }));
  const database = await openQueryDatabase({ dataFolder, tell: () => undefined });
  t.teardown(() => database.close());
  for (const [table, columns] of Object.entries(QUERY_TABLES)) {
    const read = await database.connection.runAndReadAll(`DESCRIBE ${table}`);
    const found = read.getRows().map(([name, type]) => `${String(name)} ${String(type)}`);
    t.deepEqual(found, listed(columns));
  }
});
