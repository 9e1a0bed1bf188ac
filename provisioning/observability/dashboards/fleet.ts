import type { DashboardSpec } from './dashboard.ts';
import { metric } from './metric.ts';
import type { Row } from './panel.ts';

const rate = (selector: string): string => `rate(${selector}[$__rate_interval])`;
const OF_DEVICE = 'device_id=~"$device"';
const DEVICE = '{{device_id}}';

const devices: Row = {
  title: 'Devices and runs',
  panels: [
    {
      title: 'Devices by state',
      description: 'As the coordinator knows them; lost: not heard for 10 s.',
      kind: 'stat',
      unit: 'short',
      width: 12,
      queries: [
        {
          expr: `sum by (lockstep_state) (${metric('lockstep.devices')})`,
          legend: '{{lockstep_state}}',
        },
      ],
    },
    {
      title: 'Runs',
      description: 'Runs that wait for devices, and those that go.',
      kind: 'stat',
      unit: 'short',
      width: 6,
      queries: [
        {
          expr: `sum by (lockstep_run_state) (${metric('lockstep.runs')})`,
          legend: '{{lockstep_run_state}}',
        },
      ],
    },
    {
      title: 'Results recorded',
      description: 'Results put on disk in the time shown.',
      kind: 'stat',
      unit: 'short',
      width: 6,
      queries: [
        {
          expr:
            'sum by (lockstep_status) ' +
            `(increase(${metric('lockstep.results.recorded')}[$__range]))`,
          legend: '{{lockstep_status}}',
        },
      ],
    },
    {
      title: 'State of each device',
      description: 'What each device does, as it says itself. A gap: nothing was heard of it.',
      kind: 'state-timeline',
      unit: 'short',
      queries: [
        {
          expr:
            'max by (device_id, lockstep_state) ' +
            `(${metric('lockstep.device.state', OF_DEVICE)}) == 1`,
          legend: `${DEVICE} {{lockstep_state}}`,
        },
      ],
    },
    {
      title: 'Trials by device',
      description: 'Trials done in the time shown.',
      kind: 'bargauge',
      unit: 'short',
      queries: [
        {
          expr:
            'sum by (device_id, lockstep_status) ' +
            `(increase(${metric('lockstep.device.trials', OF_DEVICE)}[$__range]))`,
          legend: `${DEVICE} {{lockstep_status}}`,
        },
      ],
    },
  ],
};

const conditions: Row = {
  title: 'Conditions',
  panels: [
    {
      title: 'Bound of the clocks',
      description: 'Limit of the error of each clock against fleet time.',
      kind: 'timeseries',
      unit: 's',
      queries: [{ expr: metric('lockstep.device.clock.bound', OF_DEVICE), legend: DEVICE }],
    },
    {
      title: 'Throttled devices',
      description: '1 while heat or power slows the processor of a device down.',
      kind: 'timeseries',
      unit: 'short',
      queries: [{ expr: metric('lockstep.device.throttled', OF_DEVICE), legend: DEVICE }],
    },
  ],
};

const path: Row = {
  title: 'Way of telemetry and results',
  panels: [
    {
      title: 'Spool of each device',
      description: 'Telemetry on disk that was not sent yet.',
      kind: 'timeseries',
      unit: 'bytes',
      width: 8,
      queries: [{ expr: metric('lockstep.spool.size', OF_DEVICE), legend: DEVICE }],
    },
    {
      title: 'Files in the spool',
      description: 'Payloads on disk that were not sent yet.',
      kind: 'timeseries',
      unit: 'short',
      width: 8,
      queries: [{ expr: metric('lockstep.spool.files', OF_DEVICE), legend: DEVICE }],
    },
    {
      title: 'Outbox of each device',
      description: 'Results and blocks of samples that were not acknowledged yet.',
      kind: 'timeseries',
      unit: 'short',
      width: 8,
      queries: [{ expr: metric('lockstep.outbox.pending', OF_DEVICE), legend: DEVICE }],
    },
    {
      title: 'Telemetry lost',
      description: 'Spans, points and log records dropped in the time shown; 0 if all is well.',
      kind: 'bargauge',
      unit: 'short',
      width: 8,
      queries: [
        {
          expr:
            'sum by (service_instance_id, lockstep_telemetry_signal) ' +
            `(increase(${metric('lockstep.telemetry.lost')}[$__range]))`,
          legend: '{{service_instance_id}} {{lockstep_telemetry_signal}}',
        },
      ],
    },
    {
      title: 'Relay: items by outcome',
      description: 'Spans, points and log records per second that each endpoint took or did not.',
      kind: 'timeseries',
      unit: 'cps',
      width: 8,
      queries: [
        {
          expr:
            'sum by (lockstep_endpoint, lockstep_outcome) ' +
            `(${rate(metric('lockstep.relay.items'))})`,
          legend: '{{lockstep_endpoint}} {{lockstep_outcome}}',
        },
      ],
    },
    {
      title: 'Relay: behind and repeated',
      description: 'Payloads that an endpoint has not got yet, and attempts repeated per second.',
      kind: 'timeseries',
      unit: 'short',
      width: 8,
      queries: [
        { expr: metric('lockstep.relay.behind'), legend: '{{lockstep_endpoint}} behind' },
        { expr: rate(metric('lockstep.relay.retries')), legend: '{{lockstep_endpoint}} repeated' },
      ],
    },
    {
      title: 'Streams: bytes',
      description: 'What each JetStream stream holds.',
      kind: 'timeseries',
      unit: 'bytes',
      queries: [{ expr: metric('lockstep.stream.size'), legend: '{{lockstep_stream}}' }],
    },
    {
      title: 'Streams: messages',
      description: 'Messages that each JetStream stream holds.',
      kind: 'timeseries',
      unit: 'short',
      queries: [{ expr: metric('lockstep.stream.messages'), legend: '{{lockstep_stream}}' }],
    },
  ],
};

const WHO = '{{service_name}} {{service_instance_id}}';

const processes: Row = {
  title: 'Agents and coordinator',
  panels: [
    {
      title: 'CPU',
      description: 'Processors that each process keeps busy.',
      kind: 'timeseries',
      unit: 'percentunit',
      width: 8,
      queries: [
        {
          expr:
            'sum by (service_name, service_instance_id) ' + `(${rate(metric('process.cpu.time'))})`,
          legend: WHO,
        },
      ],
    },
    {
      title: 'Memory',
      description: 'Resident memory of each process.',
      kind: 'timeseries',
      unit: 'bytes',
      width: 8,
      queries: [{ expr: metric('process.memory.usage'), legend: WHO }],
    },
    {
      title: 'Delay of the event loop',
      description: 'Longest and mean delay since the last time it was told.',
      kind: 'timeseries',
      unit: 's',
      width: 8,
      queries: [
        { expr: metric('nodejs.eventloop.delay.max'), legend: `${WHO} longest` },
        { expr: metric('nodejs.eventloop.delay.mean'), legend: `${WHO} mean` },
      ],
    },
  ],
};

/** All devices, the coordinator, and the way of telemetry between them. */
export const FLEET: DashboardSpec = {
  uid: 'lockstep-fleet',
  title: 'Lockstep: fleet',
  description: 'Devices, runs, clocks, and the way of telemetry and results.',
  variables: [
    {
      name: 'device',
      label: 'Device',
      of: metric('lockstep.device.state'),
      values: 'device_id',
    },
  ],
  from: 'now-6h',
  refresh: '30s',
  rows: [devices, conditions, path, processes],
};
