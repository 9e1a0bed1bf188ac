import type { Benchmark } from './benchmark.ts';
import { coldStartBenchmark } from './cold-start.ts';
import { coverageBenchmark } from './coverage.ts';
import { fleetBenchmark } from './fleet.ts';
import { gangBenchmark } from './gang.ts';
import { loadBenchmark } from './load.ts';
import { otlpBenchmark } from './otlp.ts';
import { planBenchmark } from './plan.ts';
import { relayBenchmark } from './relay.ts';
import { sequentialBenchmark } from './sequential.ts';
import { startBenchmark } from './start.ts';
import { storeBenchmark } from './store.ts';
import { telemetryBenchmark } from './telemetry.ts';

/** All benchmarks, by the name that `npm run bench` knows them by. */
export const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  coverage: coverageBenchmark,
  gang: gangBenchmark,
  load: loadBenchmark,
  otlp: otlpBenchmark,
  plan: planBenchmark,
  'cold-start': coldStartBenchmark,
  fleet: fleetBenchmark,
  relay: relayBenchmark,
  sequential: sequentialBenchmark,
  start: startBenchmark,
  store: storeBenchmark,
  telemetry: telemetryBenchmark,
};
