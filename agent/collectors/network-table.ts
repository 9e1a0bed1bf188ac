import { wordBytes } from './byte-scan.ts';
import type { ByteScan } from './byte-scan.ts';
import type { ParseText } from './file-source.ts';

/** What the kernel counts for each direction of an interface, as far as it is sampled. */
export type NetworkCount = 'bytes' | 'packets' | 'errors' | 'dropped';

/** One figure of an interface. */
export interface NetworkColumn {
  readonly count: NetworkCount;
  readonly direction: 'receive' | 'transmit';
}

// Columns of one direction; those of transmit stand behind the eight of receive.
const PLACES: Record<NetworkCount, number> = { bytes: 0, packets: 1, errors: 2, dropped: 3 };
const COLUMNS_PER_DIRECTION = 8;

/**
 * The parser of /proc/net/dev: for each interface the columns asked for, in their order; NaN for an
 * interface that is not in it. Source: proc_pid_net(5).
 */
export function networkTable(
  interfaces: readonly string[],
  columns: readonly NetworkColumn[],
): ParseText {
  const names = interfaces.map((name) => wordBytes(`${name}:`));
  const places = new Int8Array(2 * COLUMNS_PER_DIRECTION).fill(-1);
  columns.forEach(({ count, direction }, place) => {
    places[PLACES[count] + (direction === 'receive' ? 0 : COLUMNS_PER_DIRECTION)] = place;
  });
  return (scan, row, at) => {
    row.fill(Number.NaN, at, at + names.length * columns.length);
    while (!scan.isAtEnd) {
      scan.skipGaps();
      for (let place = 0; place < names.length; place += 1) {
        const name = names[place];
        if (name === undefined || !scan.skipIf(name)) continue;
        fillColumns(scan, places, row, at + place * columns.length);
        break;
      }
      scan.skipLine();
    }
  };
}

function fillColumns(scan: ByteScan, places: Int8Array, row: Float64Array, at: number): void {
  for (let column = 0; column < places.length; column += 1) {
    const value = scan.integer();
    const place = places[column] ?? -1;
    if (place >= 0) row[at + place] = value;
  }
}

/** Names of the interfaces in the text of /proc/net/dev, in its order. */
export function interfacesOf(text: string): string[] {
  return [...text.matchAll(/^\s*([^\s:|]+):/gm)].map((match) => match[1] ?? '');
}
