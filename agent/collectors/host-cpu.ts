import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessageOf } from '../../schemas/errors.ts';
import { wordBytes } from './byte-scan.ts';
import type { ByteScan } from './byte-scan.ts';
import type { HostCollector, SeriesIdentity } from './collector.ts';
import { openFiles } from './file-source.ts';
import type { ParseText } from './file-source.ts';
import { USER_HZ_LIMIT } from './kernel-tick.ts';

const MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'interrupt', 'steal'] as const;

/**
 * CPU time of the host by mode and by processor, context switches, and tasks that run. Processors
 * that come later are not among the series.
 * Source: proc_stat(5), the kernel's Documentation/filesystems/proc.rst.
 */
export const hostCpu: HostCollector = {
  source: 'host-cpu',
  open(roots) {
    const path = join(roots.proc, 'stat');
    let processors: number[];
    try {
      processors = processorsOf(readFileSync(path, 'latin1'));
    } catch (error) {
      return { unavailable: errorMessageOf(error), remedy: 'mount procfs at /proc' };
    }
    const series: SeriesIdentity[] = [
      ...MODES.map(
        (mode) => ({ metric: 'system.cpu.time', attributes: { 'cpu.mode': mode } }) as const,
      ),
      { metric: 'lockstep.host.context_switches' },
      { metric: 'lockstep.host.runnable' },
      ...processors.map(
        (number) =>
          ({
            metric: 'lockstep.host.cpu.busy.time',
            attributes: { 'cpu.logical_number': String(number) },
          }) as const,
      ),
    ];
    const parse = processorTable(processors);
    // Idle time is estimated between ticks, and the guests' part is rounded on its own.
    return openFiles([{ path, series, parse, stepsBack: true }], { limit: USER_HZ_LIMIT });
  },
};

/** Numbers of the processors in the text of /proc/stat, in its order. */
export function processorsOf(text: string): number[] {
  return [...text.matchAll(/^cpu(\d+) /gm)].map((match) => Number(match[1]));
}

const USER_HZ = 100;
const CPU = wordBytes('cpu');
const ALL = wordBytes(' ');
const SWITCHES = wordBytes('ctxt ');
const RUNNING = wordBytes('procs_running ');

// Columns of a line: user nice system idle iowait irq softirq steal guest guest_nice.
const COLUMNS = 10;

/**
 * The parser of /proc/stat: times of all processors by mode, context switches, running tasks, and
 * the busy time of each processor asked for; NaN for one that is not in it.
 */
export function processorTable(processors: readonly number[]): ParseText {
  const columns = new Float64Array(COLUMNS);
  const places = new Map(processors.map((number, place) => [number, place]));
  const first = MODES.length + 2;
  return (scan, row, at) => {
    row.fill(Number.NaN, at, at + first + processors.length);
    while (!scan.isAtEnd) {
      if (scan.skipIf(CPU)) {
        if (scan.skipIf(ALL)) {
          fillColumns(scan, columns);
          fillModes(columns, row, at);
        } else {
          const place = places.get(scan.integer());
          if (place !== undefined) {
            fillColumns(scan, columns);
            row[at + first + place] = busySeconds(columns);
          }
        }
      } else if (scan.skipIf(SWITCHES)) {
        row[at + MODES.length] = scan.integer();
      } else if (scan.skipIf(RUNNING)) {
        row[at + MODES.length + 1] = scan.integer();
        return;
      }
      scan.skipLine();
    }
  };
}

function fillColumns(scan: ByteScan, columns: Float64Array): void {
  for (let column = 0; column < COLUMNS; column += 1) columns[column] = scan.integer();
}

// What guests used is in user and nice as well, and is taken out here. Sums and differences are of
// ticks, as those are exact.
function fillModes(columns: Float64Array, row: Float64Array, at: number): void {
  row[at] = (ticks(columns, 0) - ticks(columns, 8)) / USER_HZ;
  row[at + 1] = (ticks(columns, 1) - ticks(columns, 9)) / USER_HZ;
  for (let mode = 2; mode < 5; mode += 1) row[at + mode] = ticks(columns, mode) / USER_HZ;
  row[at + 5] = (ticks(columns, 5) + ticks(columns, 6)) / USER_HZ;
  row[at + 6] = ticks(columns, 7) / USER_HZ;
}

// All but idle and iowait, without the guests' part, which is in user and nice.
function busySeconds(columns: Float64Array): number {
  let sum = ticks(columns, 0) + ticks(columns, 1) + ticks(columns, 2);
  for (let column = 5; column < 8; column += 1) sum += ticks(columns, column);
  return sum / USER_HZ;
}

function ticks(columns: Float64Array, column: number): number {
  return columns[column] ?? Number.NaN;
}
