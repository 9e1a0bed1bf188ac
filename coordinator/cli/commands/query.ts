import { randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { storageError } from '../../recording/run-folder.ts';
import { interruptible } from '../../store/duckdb.ts';
import { ask, askIntoParquet } from '../../store/query.ts';
import { openQueryDatabase, tablesText } from '../../store/query-database.ts';
import type { QueryDatabase } from '../../store/query-database.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { csvPieces, jsonPieces, tableText } from '../query-text.ts';
import type { Session, Work } from '../session.ts';

/** What `lockstep query` takes. */
export interface QueryOptions {
  readonly json?: boolean;
  readonly csv?: boolean;
  /** A file. */
  readonly parquet?: string;
  readonly tables?: boolean;
  /** Most rows of the table of text. */
  readonly rows: number;
}

/** Asks a question in SQL about all runs on disk. Needs no coordinator. */
export function query(sql: string | undefined, options: QueryOptions): Work {
  return async (session) => {
    if (options.tables === true) {
      session.output.result(tablesText());
      return EXIT_CODES.ok;
    }
    if (sql === undefined) {
      throw new LockstepError('USAGE', 'there is no query', {
        hint: 'For instance: lockstep query "select run, count(*) from results group by run"',
      });
    }
    const { home, output, signal } = session;
    const target = options.parquet === undefined ? undefined : targetOf(options.parquet);
    const database = await openQueryDatabase({
      dataFolder: home.folder,
      ...(target === undefined ? {} : { mayWrite: target.temporary }),
      tell: (message) => {
        output.say(message);
      },
      signal,
    });
    try {
      await interruptible(database.connection, signal, () =>
        target === undefined
          ? show(database, sql, options, session)
          : writeFile(database, sql, target, output),
      );
      return EXIT_CODES.ok;
    } finally {
      await database.close();
    }
  };
}

interface Target {
  readonly path: string;
  /** What is written, to be renamed when it is whole. */
  readonly temporary: string;
}

function targetOf(file: string): Target {
  const path = resolve(file);
  return { path, temporary: join(dirname(path), `.${randomUUID()}.tmp`) };
}

async function writeFile(
  { connection }: QueryDatabase,
  sql: string,
  { path, temporary }: Target,
  output: Output,
): Promise<void> {
  try {
    const rows = await askIntoParquet(connection, sql, temporary);
    await rename(temporary, path).catch((error: unknown) => {
      throw storageError(error, `cannot write ${path}`);
    });
    output.say(`${rows} rows`);
    output.result(path);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function show(
  { connection }: QueryDatabase,
  sql: string,
  options: QueryOptions,
  { output }: Session,
): Promise<void> {
  const answer = await ask(connection, sql);
  if (options.json === true) await output.resultPieces(jsonPieces(answer));
  else if (options.csv === true) await output.resultPieces(csvPieces(answer));
  else {
    const { text, rows, shown } = await tableText(answer, options.rows);
    output.result(text);
    const more = rows - shown;
    const count = rows === 1 ? '1 row' : `${rows} rows`;
    output.say(more === 0 ? count : `${count}, ${more} more than shown: see --rows and --csv`);
  }
}
