import { join } from 'node:path';
import type { DeviceFacts } from '../../schemas/device.ts';
import { chosenWord } from './kernel.ts';
import { known, readFact, readTextFact } from './sources.ts';
import type { FactRoots } from './sources.ts';

const BYTES_PER_KIB = 1024;

/** More areas of swap the kernel does not have. */
const SWAPS_MAX = 32;

/** Swap space and what else changes the cost of memory, read in a moment. */
export function readMemoryFacts(
  roots: FactRoots,
): Pick<DeviceFacts, 'swap' | 'isKsmOn' | 'hugePages'> {
  const swaps = readFact(join(roots.proc, 'swaps'));
  const ksm = readFact(join(roots.sys, 'kernel/mm/ksm/run'));
  return known({
    swap: swaps === undefined ? undefined : parseSwaps(swaps),
    isKsmOn: ksm === undefined ? undefined : ksm === '1',
    hugePages: chosenWord(readTextFact(join(roots.sys, 'kernel/mm/transparent_hugepage/enabled'))),
  });
}

/** Adds up the lines `file type size used priority`, in KiB; see proc(5). */
export function parseSwaps(text: string): NonNullable<DeviceFacts['swap']> {
  const swap = { totalBytes: 0, zramBytes: 0 };
  for (const line of text.split('\n').slice(1, 1 + SWAPS_MAX)) {
    const match = /^(\S+)\s+\S+\s+(\d{1,11})\s/.exec(line);
    if (match === null) continue;
    const bytes = Number(match[2]) * BYTES_PER_KIB;
    swap.totalBytes += bytes;
    if ((match[1] ?? '').startsWith('/dev/zram')) swap.zramBytes += bytes;
  }
  return swap;
}
