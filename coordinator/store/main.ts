/**
 * Writes the Parquet files of one run and ends: `main.ts RUN_FOLDER`. The answer is a line of JSON
 * on standard output: `manifest` or `failure`.
 */
import { constants, setPriority } from 'node:os';
import { toFailure } from '../../schemas/failure.ts';
import { writeParquet } from './write-parquet.ts';

const [folder] = process.argv.slice(2);
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    stop.abort();
  });
}
process.stdin.on('end', () => {
  stop.abort();
});
process.stdin.resume();
// Before the database makes its threads: each has the priority of the one that made it.
setPriority(constants.priority.PRIORITY_LOW);
try {
  if (folder === undefined) throw new Error('the folder of a run is missing');
  const manifest = await writeParquet(folder, { signal: stop.signal });
  process.stdout.write(`${JSON.stringify({ manifest })}\n`);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ failure: toFailure(error) })}\n`);
  process.exitCode = 1;
}
// Its input would keep it going.
process.stdin.destroy();
