/** What `npm run bench` runs: one benchmark by name, as a table or as one JSON document. */
import { parseArgs } from 'node:util';
import type { Benchmark } from './benchmark.ts';
import { describeMachine, describeVersions } from './machine.ts';
import { BENCHMARKS } from './registry.ts';
import { formatTable } from './table.ts';

const USAGE = 'usage: npm run bench -- NAME [--full] [--json] | --list';
const EXIT_USAGE = 2;

const OPTIONS = {
  full: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
} as const;

process.exitCode = await main();

async function main(): Promise<number> {
  const parsed = parse();
  if (parsed === undefined) return EXIT_USAGE;
  const { values, positionals } = parsed;
  if (values.list) {
    console.log(listText());
    return 0;
  }
  const [name, ...rest] = positionals;
  const benchmark = name === undefined || rest.length > 0 ? undefined : find(name);
  if (benchmark === undefined) {
    console.error(name === undefined ? USAGE : `unknown benchmark "${positionals.join(' ')}"`);
    console.error(listText());
    return EXIT_USAGE;
  }
  await measure(benchmark, values);
  return 0;
}

async function measure(
  benchmark: Benchmark,
  { full, json }: { full: boolean; json: boolean },
): Promise<void> {
  const machine = describeMachine();
  const versions = describeVersions();
  const startedAtUtcMs = Date.now();
  // Standard output holds the result alone, so that it can be piped.
  const log = (line: string): void => {
    console.error(`# ${line}`);
  };
  const result = await benchmark.run({ full, log });
  if (json) {
    const rows = result.rows.map((row) =>
      Object.fromEntries(result.columns.map((column, index) => [column, row[index]])),
    );
    const { name, description } = benchmark;
    const { columns, notes } = result;
    const about = { benchmark: name, description, full, startedAtUtcMs, machine, versions };
    console.log(JSON.stringify({ ...about, columns, rows, notes }, undefined, 2));
    return;
  }
  console.log(benchmark.description);
  for (const line of formatTable(result)) console.log(line);
  console.log(
    `${machine.cpuModel}, ${machine.cores} cores, load ${machine.loadAtStart.toFixed(2)} at the ` +
      `start; Linux ${machine.kernel}; Node ${versions.node}; lockstep ${versions.lockstep} ` +
      `(${versions.commit ?? 'no commit'}); ${full ? 'full' : 'quick: for quoting, use --full'}`,
  );
}

function parse() {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    console.error(USAGE);
    return undefined;
  }
}

function find(name: string): Benchmark | undefined {
  return Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
}

function listText(): string {
  return Object.values(BENCHMARKS)
    .map(({ name, description }) => `  ${name}  ${description}`)
    .join('\n');
}
