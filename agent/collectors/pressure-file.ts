import { wordBytes } from './byte-scan.ts';
import type { ByteScan } from './byte-scan.ts';
import type { RateLimit, SeriesIdentity } from './collector.ts';
import type { FilePart, ParseText } from './file-source.ts';

/** What tasks can wait for. */
export const PRESSURE_RESOURCES = ['cpu', 'memory', 'io'] as const;
export type PressureResource = (typeof PRESSURE_RESOURCES)[number];

/** Whether one task at least waited, or all did. */
export type Stall = 'some' | 'full';

/** What is said where the kernel keeps no pressure figures. */
export const PRESSURE_REMEDY =
  'put psi=1 at the end of the kernel command line (needs a kernel with CONFIG_PSI)';

/** The totals move in steps of several milliseconds, and each reading visits all processors. */
export const PRESSURE_LIMIT: RateLimit = {
  hz: 100,
  reason: 'totals of PSI move in steps of several ms, and each reading visits all processors',
};

/** One file of pressure and the series that it is read for. */
export function pressurePart(
  path: string,
  metric: 'lockstep.sandbox.pressure.time' | 'lockstep.host.pressure.time',
  resource: PressureResource,
  stalls: readonly Stall[],
): FilePart {
  const series = stalls.map((stall): SeriesIdentity => ({
    metric,
    attributes: { 'lockstep.resource': resource, 'lockstep.stall': stall },
  }));
  return { path, series, parse: parsePressure(stalls) };
}

const TOTAL = wordBytes('total=');
const USEC_PER_S = 1e6;
const WORDS_MAX = 8;

/**
 * The parser of a file of pressure: the totals of the stalls that are asked for.
 * Source: the kernel's Documentation/accounting/psi.rst.
 */
export function parsePressure(stalls: readonly Stall[]): ParseText {
  const words = stalls.map((stall) => wordBytes(`${stall} `));
  return (scan, row, at) => {
    row.fill(Number.NaN, at, at + words.length);
    while (!scan.isAtEnd) {
      for (let place = 0; place < words.length; place += 1) {
        const word = words[place];
        if (word !== undefined && scan.skipIf(word)) row[at + place] = totalOfLine(scan);
      }
      scan.skipLine();
    }
  };
}

function totalOfLine(scan: ByteScan): number {
  for (let word = 0; word < WORDS_MAX; word += 1) {
    scan.skipGaps();
    if (scan.skipIf(TOTAL)) return scan.integer() / USEC_PER_S;
    scan.skipWord();
  }
  return Number.NaN;
}
