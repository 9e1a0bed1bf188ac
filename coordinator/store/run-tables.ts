import type { DuckDBConnection } from '@duckdb/node-api';
import { hostFinder, hostsOf } from '../analysis/co-location.ts';
import type { Device } from '../../schemas/device.ts';
import type { Run } from '../../schemas/run.ts';
import { ChunkAppender } from './chunk-appender.ts';
import { columnDefinitions, columnsOf } from './column.ts';
import type { ColumnValue, FilledColumn } from './column.ts';

interface DeviceRow {
  readonly run: Run;
  readonly device: Device;
  readonly host: string;
}

/** The columns of the table `runs`: a row per run. */
export const RUN_COLUMNS: readonly FilledColumn<Run>[] = [
  ...columnsOf<Run>('VARCHAR', {
    run: ({ runId }) => runId,
    experiment: ({ experiment }) => experiment.experiment,
    question: ({ experiment }) => experiment.question,
    procedure: ({ experiment }) => experiment.procedure.kind,
    order: ({ experiment }) => experiment.order,
    state: ({ state }) => state,
    failureCode: ({ failure }) => failure?.code,
    failureMessage: ({ failure }) => failure?.message,
  }),
  ...columnsOf<Run>('BIGINT', {
    submittedAtUtcMs: ({ submittedAtUtcMs }) => submittedAtUtcMs,
    startedAtUtcMs: ({ startedAtUtcMs }) => startedAtUtcMs,
    endedAtUtcMs: ({ endedAtUtcMs }) => endedAtUtcMs,
    trialsPlanned: ({ trialsPlanned }) => trialsPlanned,
    trialsDone: ({ trialsDone }) => trialsDone,
    seed: ({ experiment }) => experiment.seed,
    repetitions: ({ experiment }) => experiment.repetitions,
    deviceCount: ({ devices }) => devices.length,
  }),
  ...columnsOf<Run>('VARCHAR', {
    fleetTime: ({ fleetTime }) => fleetTime,
    coordinatorVersion: ({ coordinatorVersion }) => coordinatorVersion,
  }),
];

/** The columns of the table `devices`: a row per device and run, as the device was then. */
export const DEVICE_COLUMNS: readonly FilledColumn<DeviceRow>[] = [
  ...columnsOf<DeviceRow>('VARCHAR', {
    run: ({ run }) => run.runId,
    device: ({ device }) => device.presence.deviceId,
    host: ({ host }) => host,
    hostname: ({ device }) => device.presence.facts.hostname,
    machineId: ({ device }) => device.presence.facts.machineId,
    bootId: ({ device }) => device.presence.facts.bootId,
    architecture: ({ device }) => device.presence.facts.architecture,
    model: ({ device }) => device.presence.facts.model,
    cpuModel: ({ device }) => device.presence.facts.cpuModel,
    kernel: ({ device }) => device.presence.facts.kernel,
    os: ({ device }) => device.presence.facts.os,
    cgroup: ({ device }) => device.presence.facts.cgroup,
    agentVersion: ({ device }) => device.presence.agentVersion,
    labels: ({ device }) => JSON.stringify(device.presence.labels),
  }),
  ...columnsOf<DeviceRow>('BIGINT', {
    cpuCount: ({ device }) => device.presence.facts.cpuCount,
    memoryBytes: ({ device }) => device.presence.facts.memoryBytes,
  }),
  ...columnsOf<DeviceRow>('BOOLEAN', { isRoot: ({ device }) => device.presence.facts.isRoot }),
];

/** Makes the tables `runs` and `devices` from the records of runs. */
export async function makeRunTables(
  connection: DuckDBConnection,
  runs: readonly Run[],
): Promise<void> {
  await fill(connection, 'runs', RUN_COLUMNS, runs);
  const devices = runs.flatMap((run) => {
    const hostOf = hostFinder(hostsOf(run.devices));
    return run.devices.map((device) => ({ run, device, host: hostOf(device.presence.deviceId) }));
  });
  await fill(connection, 'devices', DEVICE_COLUMNS, devices);
}

async function fill<Row>(
  connection: DuckDBConnection,
  table: string,
  columns: readonly FilledColumn<Row>[],
  rows: readonly Row[],
): Promise<void> {
  await connection.run(`CREATE TABLE ${table} (${columnDefinitions(columns)})`);
  const appender = await ChunkAppender.to(connection, table, columns);
  for (const row of rows) {
    appender.append(columns.map(({ read }): ColumnValue => read(row)));
  }
  appender.close();
}
