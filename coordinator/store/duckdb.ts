import type { DuckDBConnection } from '@duckdb/node-api';
import { LockstepError } from '../../schemas/errors.ts';

/** An in-memory database that takes nothing from the network. */
export interface DatabaseOptions {
  /** Most memory that it takes, MB. What does not fit goes into the temporary folder. */
  readonly memoryMb: number;
  /** Each takes memory of its own. Default: 2. */
  readonly threads?: number;
  /** Where it may put what does not fit. Absent: nowhere. */
  readonly temporaryFolder?: string;
}

/** A database in this process, and the connections to it. */
export interface Database {
  connect(): Promise<DuckDBConnection>;
  close(): void;
}

/** Opens a database. The package is loaded with the first one: it takes a third of a second. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    memory_limit: `${options.memoryMb}MB`,
    threads: String(options.threads ?? 2),
    temp_directory: options.temporaryFolder ?? '',
  });
  const connections: DuckDBConnection[] = [];
  return {
    connect: async () => {
      const connection = await instance.connect();
      connections.push(connection);
      return connection;
    },
    close: () => {
      for (const connection of connections) connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Time between interruptions of a connection, ms. */
const INTERRUPT_EVERY_MS = 50;

/** Runs work on a connection; if the signal aborts, what it does is interrupted. */
export async function interruptible<T>(
  connection: DuckDBConnection,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    connection.interrupt();
    // One that comes between two statements is lost.
    timer = setInterval(() => {
      connection.interrupt();
    }, INTERRUPT_EVERY_MS);
  };
  signal?.addEventListener('abort', onAbort);
  try {
    return await work();
  } finally {
    signal?.removeEventListener('abort', onAbort);
    clearInterval(timer);
  }
}

/** Turns an error of the database into one with a code: of the disk, or of the data. */
export function databaseError(cause: unknown, what: string): LockstepError {
  if (cause instanceof LockstepError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (/no space left|disk quota/i.test(reason)) {
    return new LockstepError('STORAGE_FULL', `${what}: the disk is full`, {
      cause,
      hint: 'Free some space; what was reported so far is kept.',
    });
  }
  return new LockstepError('STORAGE_FAILED', `${what}: ${reason}`, { cause });
}
