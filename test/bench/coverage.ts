import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Benchmark } from './benchmark.ts';
import { coverageCells } from './coverage-cells.ts';
import type { CoverageCell, CoverageRow } from './coverage-cells.ts';

const SIMULATIONS_FULL = 10_000;
const SIMULATIONS_QUICK = 100;

const COLUMNS = [
  ...['interval', 'distribution', 'devices', 'n'],
  ...['coveragePercent', 'refusedPercent', 'widthPercent'],
] as const satisfies (keyof CoverageRow)[];

/** How often intervals hold the truth. */
export const coverageBenchmark: Benchmark = {
  name: 'coverage',
  description: 'How often do the 95 % intervals of the report hold the true value?',
  run: async ({ full, log }) => {
    const simulations = full ? SIMULATIONS_FULL : SIMULATIONS_QUICK;
    const cells = coverageCells();
    const rows = new Map<CoverageCell, CoverageRow>();
    const waiting = [...cells];
    const work = async (): Promise<void> => {
      const worker = new Worker(new URL('coverage-worker.ts', import.meta.url));
      for (let cell = waiting.shift(); cell !== undefined; cell = waiting.shift()) {
        worker.postMessage({ cell, simulations });
        const [row] = (await once(worker, 'message')) as [CoverageRow];
        rows.set(cell, row);
        log(`${rows.size} of ${cells.length}: ${cell.interval}, ${cell.distribution}`);
      }
      await worker.terminate();
    };
    await Promise.all(Array.from({ length: availableParallelism() }, work));
    return {
      columns: COLUMNS,
      rows: cells.map((cell) => COLUMNS.map((column) => rows.get(cell)?.[column])),
      notes: [
        `${simulations} simulations a cell, seeded; coverage is that of the intervals given. Of ` +
          'n values, or n on each device, or n in each of 3 sessions of a device.',
        'Devices differ by 10 % (standard deviation of the logarithm), sessions by 5 %. Of two ' +
          'kinds: half of the devices are slower by a half. Ratio and slope: of two such ' +
          'samples, ' +
          'and of values that rise by 1 from each to the next.',
      ],
    };
  },
};
