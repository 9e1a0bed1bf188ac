import type { Benchmark } from './benchmark.ts';
import { coldStartBenchmark } from './cold-start.ts';
import { planBenchmark } from './plan.ts';

/** All benchmarks, by the name that `npm run bench` knows them by. */
export const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  plan: planBenchmark,
  'cold-start': coldStartBenchmark,
};
