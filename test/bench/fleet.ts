import { readFile } from 'node:fs/promises';
import { quantile } from '../../coordinator/analysis/quantile.ts';
import type { LedgerEvent } from '../../schemas/run.ts';
import { SimulatedFleet } from '../simulation/fleet.ts';
import type { FleetRun } from '../simulation/fleet.ts';
import type { Benchmark, BenchmarkContext, BenchmarkResult, BenchmarkValue } from './benchmark.ts';

const SIZES_FULL = [50, 100, 250, 500];
const SIZES_QUICK = [50, 100];
const TRIALS_FULL = 20;
const TRIALS_QUICK = 4;
const RUN_TIMEOUT_MS = 600_000;

/** Kernel clock ticks per second in /proc, as on every Linux that Node runs on (proc(5)). */
const TICKS_PER_SECOND = 100;

const COLUMNS = [
  ...['devices', 'trials', 'ok', 'withinBound', 'p50Ms', 'p95Ms', 'p50UsPerDevice'],
  ...['cpuMs', 'serverCpuMs', 'cpuUsPerDevice', 'boundP50Us'],
];
const NOTES = [
  'p50Ms, p95Ms: from the first arm of a trial until every result is on disk. Procedure no-op.',
  'cpuMs per trial: coordinator and all devices, which share this process; serverCpuMs: the NATS ' +
    'server. cpuUsPerDevice: both, per device and trial.',
  'Clock probes are spread over up to 1 s before and after a trial. The bounds are those of ' +
    'devices that wait for each other in one process.',
  'The first trial of each size is not counted; withinBound: share of true errors within bounds.',
];

/** What a trial costs, by size of the fleet. */
export const fleetBenchmark: Benchmark = {
  name: 'fleet',
  description: 'How does the cost of a trial grow with the number of devices?',
  run: (context) =>
    measureFleets(
      context,
      context.full ? SIZES_FULL : SIZES_QUICK,
      context.full ? TRIALS_FULL : TRIALS_QUICK,
    ),
};

interface FleetCost {
  readonly devices: number;
  readonly row: readonly BenchmarkValue[];
  readonly wallUsPerDevice: number;
  readonly cpuUsPerDevice: number;
}

async function measureFleets(
  { log }: BenchmarkContext,
  sizes: readonly number[],
  trials: number,
): Promise<BenchmarkResult> {
  const costs: FleetCost[] = [];
  for (const devices of sizes) {
    log(`${devices} simulated devices, ${trials} trials`);
    costs.push(await measureFleet(devices, trials));
  }
  return {
    columns: COLUMNS,
    rows: costs.map(({ row }) => row),
    notes: [...NOTES, ...growthNotes(costs)],
  };
}

async function measureFleet(devices: number, trials: number): Promise<FleetCost> {
  const fleet = await SimulatedFleet.start({ devices });
  try {
    // The processor's clock is read around a run, so what warms up is a run of its own.
    await fleet.run({ trials: 1, timeoutMs: RUN_TIMEOUT_MS });
    const before = await readCpuMs(fleet);
    const ran = await fleet.run({ trials: trials + 1, timeoutMs: RUN_TIMEOUT_MS });
    const after = await readCpuMs(fleet);
    const cpuMs = (after.own - before.own) / (trials + 1);
    const serverCpuMs = (after.server - before.server) / (trials + 1);
    return costOf(fleet, ran, { cpuMs, serverCpuMs });
  } finally {
    await fleet.stop();
  }
}

function costOf(
  fleet: SimulatedFleet,
  { results, events }: FleetRun,
  { cpuMs, serverCpuMs }: { cpuMs: number; serverCpuMs: number },
): FleetCost {
  const devices = fleet.devices.size;
  const wallMs = trialDurationsMs(events);
  const p50Ms = quantile(wallMs, 0.5) ?? Number.NaN;
  const started = results.filter(({ clock, start }) => clock !== undefined && start !== undefined);
  const within = started.filter(
    (result) =>
      fleet.devices.get(result.deviceId)!.trueErrorNs(result) <= (result.clock?.boundNs ?? 0n),
  );
  const boundsUs = started.map(({ clock }) => Number(clock?.boundNs) / 1000);
  const wallUsPerDevice = (p50Ms * 1000) / devices;
  const cpuUsPerDevice = ((cpuMs + serverCpuMs) * 1000) / devices;
  const row = [
    devices,
    wallMs.length,
    results.filter(({ status }) => status === 'ok').length / results.length,
    within.length / started.length,
    ...[p50Ms, quantile(wallMs, 0.95), wallUsPerDevice],
    ...[cpuMs, serverCpuMs, cpuUsPerDevice, quantile(boundsUs, 0.5)],
  ];
  return { devices, row, wallUsPerDevice, cpuUsPerDevice };
}

/** A trial begins when the one before is done, so the first has no beginning and is left out. */
function trialDurationsMs(events: readonly LedgerEvent[]): number[] {
  const doneAtMs = events.flatMap(({ event, atUtcMs }) => (event === 'done' ? [atUtcMs] : []));
  return doneAtMs.slice(1).map((atMs, index) => atMs - (doneAtMs[index] ?? atMs));
}

function growthNotes(costs: readonly FleetCost[]): string[] {
  const [least, most] = [costs[0], costs.at(-1)];
  if (least === undefined || most === undefined || least === most) return [];
  const wall = most.wallUsPerDevice / least.wallUsPerDevice;
  const cpu = most.cpuUsPerDevice / least.cpuUsPerDevice;
  const verdict = Math.max(wall, cpu) <= 1 ? 'no faster' : 'faster';
  return [
    `per device, a trial of ${most.devices} costs ${wall.toFixed(2)} times the time and ` +
      `${cpu.toFixed(2)} times the processor of one of ${least.devices}: it grows ${verdict} ` +
      'than linearly.',
  ];
}

async function readCpuMs(fleet: SimulatedFleet): Promise<{ own: number; server: number }> {
  const { user, system } = process.cpuUsage();
  const stat = await readFile(`/proc/${fleet.serverProcessId}/stat`, 'utf8');
  // The command in parentheses may hold spaces; utime and stime are fields 14 and 15 (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { own: (user + system) / 1000, server: (ticks * 1000) / TICKS_PER_SECOND };
}
