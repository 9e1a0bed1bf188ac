import type { DuckDBConnection } from '@duckdb/node-api';
import { placeText } from '../recording/data-damage.ts';
import type { DataDamage } from '../recording/data-damage.ts';
import { readLines } from '../recording/line-reader.ts';
import { openRegular, readingError } from '../recording/regular-file.ts';
import { EndComparison } from '../recording/results-tally.ts';
import { decodeHead, SAMPLES_FILE } from '../recording/sample-lines.ts';
import type { BlockHead } from '../recording/sample-lines.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';
import { isEnded } from '../../schemas/run.ts';
import { ChunkAppender } from './chunk-appender.ts';
import { columnDefinitions } from './column.ts';
import type { Column } from './column.ts';
import type { ResultSource } from './result-source.ts';

const BLOCK_STAGE: readonly Column[] = [
  { name: 'line', type: 'BIGINT' },
  { name: 'placeInPlan', type: 'BIGINT' },
  { name: 'trial', type: 'VARCHAR' },
  { name: 'attempt', type: 'BIGINT' },
  { name: 'device', type: 'VARCHAR' },
  { name: 'sequence', type: 'INTEGER' },
  { name: 'fromByte', type: 'BIGINT' },
  { name: 'bytes', type: 'BIGINT' },
];

/** Where a block stands in the file. */
export interface BlockPlace {
  readonly line: number;
  readonly fromByte: number;
  readonly bytes: number;
}

/** The blocks of one device's part in an attempt at a trial, in their sequence. */
export interface BlocksOfPart {
  readonly trialId: string;
  readonly attempt: number;
  readonly deviceId: string;
  readonly blocks: readonly BlockPlace[];
}

/** What was found in a file of samples. */
export interface StagedBlocks {
  /** Lines that hold a block of the run. */
  readonly read: number;
  /** Of these, blocks that were there before. */
  readonly duplicates: number;
  /** Lines that were left out. */
  readonly damaged: number;
}

/**
 * Looks at every line of a run's samples.ndjson, its checksum and its head, and puts the places of
 * the distinct blocks into the table `blocks`. Of blocks of one key the first whole one counts.
 * What is damaged or of another run is told and left out.
 */
export async function stageBlocks(
  connection: DuckDBConnection,
  source: ResultSource,
  damage: DataDamage,
): Promise<StagedBlocks> {
  await connection.run(`CREATE TABLE blocks (${columnDefinitions(BLOCK_STAGE)})`);
  const appender = await ChunkAppender.to(connection, 'blocks', BLOCK_STAGE);
  const places = new Map(source.plan?.trials.map(({ trialId }, place) => [trialId, place]));
  const misfit = misfitOf(source.run, source.plan, places);
  let read = 0;
  for await (const line of linesOf(source, damage)) {
    if (line.length === 0) continue;
    const decoded = decodeHead(line);
    const wrong = 'damage' in decoded ? decoded.damage : misfit(decoded.value);
    if (wrong !== undefined) damage.leaveOut(SAMPLES_FILE, line.number, wrong);
    if (wrong !== undefined || !('value' in decoded)) continue;
    const { trialId, attempt, deviceId, sequence } = decoded.value;
    const place = places.get(trialId);
    appender.append([
      ...[line.number, place, trialId, attempt, deviceId, sequence],
      ...[line.fromByte, line.length],
    ]);
    read += 1;
  }
  appender.close();
  await connection.run(
    `DELETE FROM blocks WHERE line NOT IN (
       SELECT min(line) FROM blocks GROUP BY trial, attempt, device, sequence)`,
  );
  const counted = await connection.runAndReadAll('SELECT count(*) FROM blocks');
  const duplicates = read - Number(counted.getRows()[0]?.[0]);
  return { read, duplicates, damaged: damage.linesLeftOut };
}

/**
 * All parts of devices in trials, in the order of samples.parquet.
 *
 * @param connection on which nothing else is asked meanwhile
 */
export async function* partsInOrder(connection: DuckDBConnection): AsyncGenerator<BlocksOfPart> {
  const result = await connection.stream(
    `SELECT trial, attempt, device, line, fromByte, bytes FROM blocks
     ORDER BY placeInPlan NULLS LAST, trial, attempt, device, sequence`,
  );
  let part: (BlocksOfPart & { readonly blocks: BlockPlace[] }) | undefined;
  for await (const rows of result.yieldRows()) {
    for (const [trial, attempt, device, line, fromByte, bytes] of rows) {
      const [trialId, deviceId] = [String(trial), String(device)];
      const isSame =
        part?.trialId === trialId && part.attempt === Number(attempt) && part.deviceId === deviceId;
      if (part === undefined || !isSame) {
        if (part !== undefined) yield part;
        part = { trialId, attempt: Number(attempt), deviceId, blocks: [] };
      }
      const place = { line: Number(line), fromByte: Number(fromByte), bytes: Number(bytes) };
      part.blocks.push(place);
    }
  }
  if (part !== undefined) yield part;
}

/** Damage in words, for a file that says what was left out. */
export function damageTexts(damage: DataDamage): string[] {
  return damage.places.map(placeText);
}

async function* linesOf({ folder, run, signal }: ResultSource, damage: DataDamage) {
  const path = folder.path(SAMPLES_FILE);
  const file = await openRegular(path);
  if (file === undefined) return;
  const comparison = new EndComparison(run.samplesFile?.end);
  const onChunk = (chunk: Buffer): void => {
    comparison.add(chunk);
  };
  try {
    for await (const lines of readLines(file, onChunk)) {
      signal?.throwIfAborted();
      for (const line of lines) {
        // The last line of a run that goes on may just be being written.
        if (!line.isWhole && !isEnded(run.state)) continue;
        yield { ...line, length: line.bytes?.length ?? -1 };
      }
    }
  } catch (error) {
    throw readingError(error, path);
  } finally {
    await file.close();
  }
  const difference = comparison.difference();
  const isExplained = damage.linesLeftOut > 0 && difference?.isShort === false;
  if (difference !== undefined && !isExplained) damage.tell(SAMPLES_FILE, difference.message);
}

/** Why a block can't be one of the run. Undefined if it can. */
function misfitOf(
  run: Run,
  plan: Plan | undefined,
  places: ReadonlyMap<string, number>,
): (head: BlockHead) => string | undefined {
  const deviceIds = new Set(run.devices.map(({ presence }) => presence.deviceId));
  return ({ runId, trialId, deviceId }) => {
    if (runId !== run.runId) return `is of run ${runId}`;
    if (!deviceIds.has(deviceId)) return `is of ${deviceId}, which is no device of the run`;
    if (plan !== undefined && !places.has(trialId)) return `is of ${trialId}, not in the plan`;
    return undefined;
  };
}
