import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { summarise } from '../../../coordinator/analysis/summary.ts';
import { ask } from '../../../coordinator/store/query.ts';
import { openQueryDatabase } from '../../../coordinator/store/query-database.ts';
import { writeParquet } from '../../../coordinator/store/write-parquet.ts';
import { examplesOf } from '../../support/documents.ts';
import { makeRun } from '../../support/run-fixture.ts';
import { recordRun, temporaryData } from '../../support/temporary-run.ts';

// The examples of docs/researchers.md are run as they stand there, and must give the medians that
// the report has: with failures, marks, and agents that share a host.

const FIXTURE = makeRun({
  repetitions: 7,
  failureRate: 0.1,
  invalidRate: 0.1,
  agentsPerHost: [2, 1],
});
const { cells } = summarise(FIXTURE.run, FIXTURE.plan, FIXTURE.results);
const run = promisify(execFile);

test('the example in SQL gives the medians of the report', async (t) => {
  const data = await temporaryData(t);
  await recordRun(data, FIXTURE);
  const [sql = ''] = await examplesOf('researchers.md', 'sql');
  const database = await openQueryDatabase({ dataFolder: data, tell: () => undefined });
  try {
    const answer = await ask(database.connection, sql);
    const rows: unknown[][] = [];
    for await (const some of answer.rows()) rows.push(...(some as unknown[][]));
    t.is(rows.length, cells.length);
    for (const { cell, units, latency } of cells) {
      const row = rows.find(([id]) => id === cell.id);
      t.is(Number(row?.[1]), units.length);
      t.true(Math.abs(Number(row?.[2]) - latency!.medianNs / 1e6) < 1e-9, cell.id);
    }
  } finally {
    await database.close();
  }
});

test('the examples in Python read the Parquet files as they are', async (t) => {
  const python = process.env['LOCKSTEP_PYTHON'] ?? 'python3';
  const examples = await examplesOf('researchers.md', 'python');
  t.is(examples.length, 2);
  const data = await temporaryData(t);
  const { folder } = await recordRun(data, FIXTURE);
  await writeParquet(folder);
  for (const code of examples) {
    const [name = ''] = /(?<=^import )\w+/m.exec(code) ?? [];
    const isThere = await run(python, ['-c', `import ${name}, pyarrow`]).then(
      () => true,
      () => false,
    );
    if (!isThere) {
      t.log(`skipped: ${python} has no ${name}; LOCKSTEP_PYTHON names another`);
      continue;
    }
    const { stdout } = await run(python, ['-c', code], { cwd: folder });
    for (const { cell } of cells) t.true(stdout.includes(cell.id), name);
  }
});
