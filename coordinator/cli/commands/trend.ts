import { VERDICTS } from '../../analysis/comparison.ts';
import { formatMs } from '../../analysis/format-ms.ts';
import { counted } from '../../analysis/note.ts';
import { Trend } from '../../analysis/trend.ts';
import type { CellTrend, TrendChange, TrendPoint } from '../../analysis/trend.ts';
import { LockstepError, errorMessageOf } from '../../../schemas/errors.ts';
import { RunFolder } from '../../recording/run-folder.ts';
import { intervalText } from '../comparison-table.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { readRunSummary } from '../report-files.ts';
import type { Session, Work } from '../session.ts';
import { textTable } from '../text-table.ts';

/** What `lockstep trend` takes. */
export interface TrendOptions {
  /** Change of a median that does not matter, percent. */
  readonly margin: number;
  readonly json?: boolean;
}

const SEED = 1;
const BAR_COLUMNS = 24;
const DAY_MS = 86_400_000;

/**
 * Follows cells over runs, oldest first, and reads one run after the other. Needs no coordinator.
 *
 * @param words a cell, which has a slash in its id, then runs. Without a cell: all cells. Without
 * runs: all of the experiment that the newest run is of
 */
export function trend(words: readonly string[], options: TrendOptions): Work {
  return async (session) => {
    const { output } = session;
    const [first, ...rest] = words;
    const cellId = first?.includes('/') === true ? first : undefined;
    const named = cellId === undefined ? words : rest;
    const runIds = named.length > 0 ? named : await runsOfNewestExperiment(session);
    const followed = new Trend({ margin: options.margin / 100, seed: SEED });
    const known = new Set<string>();
    for (const runId of await oldestFirst(session, runIds)) {
      const read = await readRun(session, runId);
      if (read === undefined) continue;
      for (const { cell } of read.summary.cells) known.add(cell.id);
      followed.add(read.run, read.summary, cellId);
    }
    const { cells } = followed;
    if (cells.length === 0) {
      const what = cellId === undefined ? 'no run has a cell' : `no run has the cell ${cellId}`;
      throw new LockstepError('NOT_FOUND', what, {
        hint: known.size === 0 ? 'List the runs with: lockstep runs' : [...known].join(', '),
      });
    }
    if (options.json === true) output.result(JSON.stringify({ cells }, null, 2));
    else output.result(cells.map(trendText).join('\n\n'));
    return EXIT_CODES.ok;
  };
}

/** One cell over its runs as text; pure. */
export function trendText({ cellId, points, slopeNsPerDay, pooled }: CellTrend): string {
  const most = Math.max(...points.map(({ medianNs }) => medianNs ?? 0));
  const header = [
    ...['run', 'started (UTC)', 'n', 'hosts', 'failed %', 'median ms', '95 % interval'],
    ...['to previous', 'to first', 'verdict (first)', ''],
  ];
  const verdicts = new Set(points.flatMap(({ fromFirst }) => fromFirst?.verdict ?? []));
  const lines = [
    cellId,
    textTable(
      header,
      points.map((point) => rowOf(point, most)),
    ),
    ...[...verdicts].map((verdict) => `${verdict}: ${VERDICTS[verdict]}.`),
  ];
  if (slopeNsPerDay !== undefined) lines.push(slopeLine(slopeNsPerDay, points));
  if (pooled !== undefined) {
    const { interval, basis, units, caution } = pooled;
    const ends =
      interval === undefined
        ? 'no interval'
        : `[${formatMs(interval.lower)}, ${formatMs(interval.upper)}]`;
    const care = caution === undefined ? '' : ` Caution: ${caution}.`;
    lines.push(
      `All runs together: ${formatMs(pooled.estimateNs)} ms ${ends}, ` +
        `over ${counted(units, basis.replace(/s$/, ''))}.${care}`,
    );
  }
  return lines.join('\n');
}

function rowOf(point: TrendPoint, most: number): string[] {
  const { medianNs, medianInterval, failureRate } = point;
  const bar = medianNs === undefined || most <= 0 ? 0 : Math.round((BAR_COLUMNS * medianNs) / most);
  return [
    point.runId,
    new Date(point.atUtcMs).toISOString().slice(0, 16).replace('T', ' '),
    String(point.n),
    String(point.hosts),
    failureRate === undefined ? '-' : (100 * failureRate).toFixed(1),
    medianNs === undefined ? '-' : formatMs(medianNs),
    medianInterval === undefined
      ? '-'
      : `[${formatMs(medianInterval.lower)}, ${formatMs(medianInterval.upper)}]`,
    changeText(point.fromPrevious),
    changeText(point.fromFirst),
    point.fromFirst?.verdict ?? '-',
    '█'.repeat(Math.max(0, bar)),
  ];
}

function changeText(change: TrendChange | undefined): string {
  if (change === undefined) return '-';
  return `${change.ratio.ratio.toFixed(3)} ${intervalText(change.ratio.interval)}`;
}

function slopeLine(
  { slope, interval }: NonNullable<CellTrend['slopeNsPerDay']>,
  points: readonly TrendPoint[],
): string {
  const times = points.map(({ atUtcMs }) => atUtcMs);
  const days = (Math.max(...times) - Math.min(...times)) / DAY_MS;
  const text = `Slope: ${formatMs(slope)} ms a day over ${days.toPrecision(2)} days`;
  if (interval === undefined) return `${text}; fewer than 5 runs: no interval.`;
  const isFlat = interval.lower <= 0 && interval.upper >= 0;
  return (
    `${text} [${formatMs(interval.lower)}, ${formatMs(interval.upper)}]: ` +
    (isFlat ? 'no trend is shown.' : 'it changes with time.')
  );
}

async function readRun({ home, output }: Session, runId: string) {
  try {
    return await readRunSummary(home.folder, runId);
  } catch (error) {
    output.say(`warning: run ${runId} is left out: ${errorMessageOf(error)}`);
    return undefined;
  }
}

async function runsOfNewestExperiment({ home, output }: Session): Promise<string[]> {
  const [newest, ...others] = await RunFolder.list(home.folder);
  if (newest === undefined) {
    throw new LockstepError('NOT_FOUND', `there is no run in ${home.folder}`, {
      hint: 'Start one with: lockstep run FILE',
    });
  }
  const name = (await RunFolder.of(home.folder, newest).readRun()).experiment.experiment;
  const same = [newest];
  for (const runId of others) {
    try {
      const run = await RunFolder.of(home.folder, runId).readRun();
      if (run.experiment.experiment === name) same.push(runId);
    } catch (error) {
      output.say(`warning: run ${runId} is left out: ${errorMessageOf(error)}`);
    }
  }
  return same;
}

/** By their start; what can't be read comes last, and is told when it is read. */
async function oldestFirst({ home }: Session, runIds: readonly string[]): Promise<string[]> {
  const known = await RunFolder.list(home.folder);
  const place = (runId: string): number => (runId === 'latest' ? 0 : known.indexOf(runId));
  return [...new Set(runIds)].toSorted((left, right) => place(right) - place(left));
}
