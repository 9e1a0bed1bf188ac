import { cgroupCpu } from './cgroup-cpu.ts';
import { cgroupIo } from './cgroup-io.ts';
import { cgroupMemory } from './cgroup-memory.ts';
import { cgroupMemoryStat } from './cgroup-memory-stat.ts';
import { cgroupPids } from './cgroup-pids.ts';
import { cgroupPressure } from './cgroup-pressure.ts';
import type { FinalReading, Roots, SandboxCollector, SandboxTarget } from './collector.ts';

/** The sources that can still be read when a sandbox has no process any more. */
const LASTING: readonly SandboxCollector[] = [
  cgroupCpu,
  cgroupMemory,
  cgroupMemoryStat,
  cgroupIo,
  cgroupPids,
  cgroupPressure,
];

/**
 * Reads what the control group of a sandbox holds in the end, when its last process has ended and
 * before it is removed: what it used between the last sample and its end is in it. Waits for
 * nothing, throws nothing, and leaves nothing open.
 *
 * @param monoNs CLOCK_MONOTONIC, ns.
 */
export function readFinal(
  target: SandboxTarget,
  roots: Roots,
  monoNs: () => bigint,
): FinalReading[] {
  const finals: FinalReading[] = [];
  for (const collector of LASTING) {
    const source = collector.open(target, roots);
    if ('unavailable' in source || source.pace === 'slow') continue;
    const row = new Float64Array(source.series.length);
    const outcome = source.read(row);
    const atMonoNs = monoNs();
    source.close();
    if (outcome !== 'read') continue;
    const readings = source.series.flatMap((series, place) => {
      const value = row[place] ?? Number.NaN;
      return Number.isNaN(value) ? [] : [{ ...series, value }];
    });
    finals.push({ instance: target.index, source: collector.source, atMonoNs, readings });
  }
  return finals;
}
