import { Bench } from 'tinybench';
import { plan } from '../../coordinator/planning/planner.ts';
import { Experiment } from '../../schemas/experiment.ts';
import type { Benchmark, BenchmarkValue } from './benchmark.ts';

const REPETITIONS = [10, 100, 1000] as const;
const FUNCTIONS = ['f1', 'f2', 'f3'].map((name) => ({
  name,
  staticBinary: true,
  form: 'program' as const,
}));

/** What a plan costs, by number of repetitions. */
export const planBenchmark: Benchmark = {
  name: 'plan',
  description: 'How long does the planner take to order 12 cells in 10, 100 and 1000 blocks?',
  async run({ full, log }) {
    const rows: BenchmarkValue[][] = [];
    for (const repetitions of REPETITIONS) {
      log(`${repetitions} repetitions`);
      rows.push(await measure(repetitions, full));
    }
    return {
      columns: ['repetitions', 'trials', 'medianMs', 'p99Ms', 'medianUsPerTrial', 'samples'],
      rows,
      notes: ['In one process, without devices; percentiles over calls after a warm-up.'],
    };
  },
};

async function measure(repetitions: number, full: boolean): Promise<BenchmarkValue[]> {
  const experiment = Experiment.parse({
    experiment: 'plan',
    question: 'How long does it take to plan?',
    procedure: { kind: 'burst' },
    factors: { sandbox: ['process', 'runc', 'gvisor', 'microvm'], function: ['f1', 'f2', 'f3'] },
    repetitions,
  });
  const trials = plan(experiment, [], FUNCTIONS).trials.length;
  const bench = new Bench({ time: full ? 5000 : 200, warmupTime: full ? 1000 : 50 });
  bench.add('plan', () => {
    plan(experiment, [], FUNCTIONS);
  });
  await bench.run();
  const result = bench.tasks[0]?.result;
  if (result?.state !== 'completed')
    throw new Error(`the benchmark ended as ${result?.state ?? 'nothing'}`);
  const { p50, p99, samplesCount } = result.latency;
  return [repetitions, trials, p50, p99, (p50 * 1000) / trials, samplesCount];
}
