import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LoadGenerator } from '../../../agent/procedures/load-generator.ts';
import { requestRate } from '../../../agent/procedures/load-report.ts';
import { SlotPool } from '../../../agent/sandboxes/network.ts';
import { median } from '../../../coordinator/analysis/quantile.ts';

// Runs in namespaces of its own. The set-up is the first argument; the rows go to standard output.

/** One line of the table. Undefined: the tool does not tell. */
export interface LoadRow {
  readonly path: 'loopback' | 'veth';
  readonly connections: number;
  readonly tool: 'load-generator' | 'wrk';
  readonly threads: number;
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
  readonly p50Us: number | undefined;
  readonly p99Us: number | undefined;
  readonly runs: number;
}

interface SetUp {
  readonly connections: readonly number[];
  readonly durationMs: number;
  readonly runs: number;
  readonly scratchFolder: string;
  readonly toolFolder: string;
}

const WRK = '/usr/bin/wrk';
/** It can't be told to run for less. */
const WRK_MS_MIN = 1000;
const BODY_BYTES = 15;
const PORT = 8080;
const DEADLINE_MS = 600_000;
const GOING = new AbortController().signal;

const setUp = JSON.parse(process.argv[2] ?? '{}') as SetUp;
const generator = new LoadGenerator(setUp.toolFolder);

/** What one run gave. */
interface Run {
  readonly threads: number;
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

async function runOurs(address: string, connections: number): Promise<Run> {
  const { durationMs } = setUp;
  const report = await generator.run(
    { mode: 'closed', connections, durationMs },
    {
      addresses: [address],
      path: '/hello',
      expectBytes: BODY_BYTES,
      timeoutMs: 10_000,
      deadlineMs: durationMs + 20_000,
    },
    GOING,
  );
  if (report.requests.failed > 0) throw new Error(JSON.stringify(report.failures));
  const quantile = (share: number): number =>
    (report.latency?.quantiles.find((one) => one.quantile === share)?.ns ?? Number.NaN) / 1000;
  return {
    threads: report.threads,
    requestsPerSecond: requestRate(report),
    cpuUsPerRequest: (report.cpu.userNs + report.cpu.systemNs) / 1000 / report.requests.answered,
    p50Us: quantile(0.5),
    p99Us: quantile(0.99),
  };
}

async function runWrk(address: string, connections: number, threads: number): Promise<Run> {
  const seconds = `${Math.round(setUp.durationMs / 1000)}s`;
  const words = ['-t', String(threads), '-c', String(connections), '-d', seconds, '--latency'];
  const script = 'TIMEFORMAT="cpu %U %S"; time "$@"';
  const { stdout, stderr } = await promisify(execFile)('/bin/bash', [
    ...['-c', script, 'wrk', WRK, ...words, `http://${address}/hello`],
  ]);
  const find = (pattern: RegExp, text: string): string[] => pattern.exec(text)?.slice(1) ?? [];
  const [user = 'NaN', system = 'NaN'] = find(/cpu ([\d.]+) ([\d.]+)/, stderr);
  const [requests = 'NaN'] = find(/(\d+) requests in/, stdout);
  const [rate = 'NaN'] = find(/Requests\/sec:\s+([\d.]+)/, stdout);
  const time = (share: number): number => {
    const [value = 'NaN', unit = ''] = find(new RegExp(`${share}%\\s+([\\d.]+)(us|ms|s)`), stdout);
    return Number(value) * ({ us: 1, ms: 1e3, s: 1e6 }[unit] ?? Number.NaN);
  };
  return {
    threads,
    requestsPerSecond: Number(rate),
    cpuUsPerRequest: ((Number(user) + Number(system)) * 1e6) / Number(requests),
    p50Us: time(50),
    p99Us: time(99),
  };
}

function toRow(
  place: Pick<LoadRow, 'path' | 'connections' | 'tool'>,
  runs: readonly Run[],
): LoadRow {
  const middle = (name: keyof Run): number => median(runs.map((run) => run[name])) ?? Number.NaN;
  return {
    ...place,
    threads: runs[0]?.threads ?? 0,
    requestsPerSecond: middle('requestsPerSecond'),
    cpuUsPerRequest: middle('cpuUsPerRequest'),
    p50Us: middle('p50Us'),
    p99Us: middle('p99Us'),
    runs: runs.length,
  };
}

async function measure(path: LoadRow['path'], address: string): Promise<LoadRow[]> {
  const rows: LoadRow[] = [];
  const hasWrk = existsSync(WRK) && setUp.durationMs >= WRK_MS_MIN;
  for (const connections of setUp.connections) {
    const ours: Run[] = [];
    const theirs: Run[] = [];
    for (let turn = 0; turn < setUp.runs; turn += 1) {
      const run = await runOurs(address, connections);
      ours.push(run);
      if (hasWrk) theirs.push(await runWrk(address, connections, run.threads));
    }
    rows.push(toRow({ path, connections, tool: 'load-generator' }, ours));
    if (theirs.length > 0) rows.push(toRow({ path, connections, tool: 'wrk' }, theirs));
  }
  return rows;
}

async function main(): Promise<LoadRow[]> {
  const common = { port: PORT, bodyBytes: BODY_BYTES, deadlineMs: DEADLINE_MS };
  const slots = new SlotPool(join(setUp.scratchFolder, 'slots'));
  const rows: LoadRow[] = [];
  const local = await generator.serveNull({ ...common, address: '127.0.0.1' });
  rows.push(...(await measure('loopback', local.address)));
  await local.close();
  const [slot] = await slots.acquire('veth', 1);
  if (slot?.netnsPath === undefined) throw new Error('a veth slot has a namespace');
  const { address, netnsPath } = slot;
  const far = await generator.serveNull({ ...common, address, netnsPath });
  rows.push(...(await measure('veth', far.address)));
  await far.close();
  await slots.destroy();
  return rows;
}

process.stdout.write(JSON.stringify(await main()));
