import type { DashboardSpec } from './dashboard.ts';
import { grown, metric, reached } from './metric.ts';
import type { Row } from './panel.ts';

const OF_RUN = 'lockstep_run_id=~"$run"';
const OF_DEVICES = [OF_RUN, 'device_id=~"$device"'] as const;
const SANDBOX = 'lockstep_sandbox_kind, lockstep_function, lockstep_trial_id, device_id';
const SOME = 'lockstep_stall="some"';
const TRIAL = '{{device_id}} {{lockstep_trial_id}}';

const trials: Row = {
  title: 'Trials',
  panels: [
    {
      title: 'Trials sampled',
      description: 'Trials of the run with samples in the time shown, by kind of sandbox.',
      kind: 'stat',
      unit: 'short',
      width: 6,
      queries: [
        {
          expr:
            'count by (lockstep_sandbox_kind) ' +
            '(count by (lockstep_sandbox_kind, lockstep_trial_id) ' +
            `(${reached(metric('container.cpu.time', ...OF_DEVICES))}))`,
          legend: '{{lockstep_sandbox_kind}}',
        },
      ],
    },
    {
      title: 'Sandboxes of each trial',
      description: 'CPU time that the sandboxes of each trial used; a row leads to the trace.',
      kind: 'table',
      unit: 's',
      width: 6,
      leadsToTrace: true,
      queries: [
        {
          expr: `sum by (${SANDBOX}) (${reached(metric('container.cpu.time', ...OF_DEVICES))})`,
        },
      ],
    },
    {
      title: 'Traces of the run',
      description: 'One trace per trial; of more than 50 devices, one per device besides.',
      kind: 'traces',
      unit: 'short',
      width: 12,
      queries: [{ expr: '{ span.lockstep.run.id =~ "$run" && name = "dispatch trial" }' }],
    },
  ],
};

const sandboxes: Row = {
  title: 'Sandboxes, in the course of the run',
  panels: [
    {
      title: 'CPU time of each sandbox',
      description: 'Since the start of each sandbox; each line is one trial.',
      kind: 'timeseries',
      unit: 's',
      leadsToTrace: true,
      queries: [
        {
          expr: `sum by (${SANDBOX}) (${metric('container.cpu.time', ...OF_DEVICES)})`,
          legend: '{{lockstep_sandbox_kind}} {{lockstep_trial_id}} {{device_id}}',
        },
      ],
    },
    {
      title: 'Memory of each sandbox',
      description: 'Charged to its cgroup; each line is one trial.',
      kind: 'timeseries',
      unit: 'bytes',
      leadsToTrace: true,
      queries: [
        {
          expr: `sum by (${SANDBOX}) (${metric('container.memory.usage', ...OF_DEVICES)})`,
          legend: '{{lockstep_sandbox_kind}} {{lockstep_trial_id}} {{device_id}}',
        },
      ],
    },
  ],
};

const devices: Row = {
  title: 'Devices, in the course of the run',
  panels: [
    {
      title: 'Hottest sensor',
      description: 'Of each device, while trials were sampled.',
      kind: 'timeseries',
      unit: 'celsius',
      queries: [
        {
          expr: `max by (device_id) (${metric('hw.temperature', ...OF_DEVICES)})`,
          legend: '{{device_id}}',
        },
      ],
    },
    {
      title: 'Slowest processor',
      description: 'Lowest frequency of any processor of each device.',
      kind: 'timeseries',
      unit: 'hertz',
      queries: [
        {
          expr: `min by (device_id) (${metric('system.cpu.frequency', ...OF_DEVICES)})`,
          legend: '{{device_id}}',
        },
      ],
    },
    {
      title: 'Time that tasks waited',
      description: 'Pressure (PSI) of the whole device within each trial.',
      kind: 'bargauge',
      unit: 's',
      queries: [
        {
          expr:
            'topk(20, max by (device_id, lockstep_trial_id, lockstep_resource) ' +
            `(${grown(metric('lockstep.host.pressure.time', ...OF_DEVICES, SOME))}))`,
          legend: `${TRIAL} {{lockstep_resource}}`,
        },
      ],
    },
    {
      title: 'Energy of each trial',
      description: 'Measured by the counters of the device, within each trial.',
      kind: 'bargauge',
      unit: 'joule',
      queries: [
        {
          expr:
            'topk(20, max by (device_id, lockstep_trial_id, hw_name) ' +
            `(${grown(metric('hw.energy', ...OF_DEVICES))}))`,
          legend: `${TRIAL} {{hw_name}}`,
        },
      ],
    },
    {
      title: 'Throttling',
      description: '1 where a condition held within a trial. It makes figures of it worthless.',
      kind: 'timeseries',
      unit: 'short',
      queries: [
        {
          expr:
            'max by (device_id, lockstep_condition) ' +
            `(${metric('lockstep.host.throttled', ...OF_DEVICES, 'lockstep_since="now"')})`,
          legend: '{{device_id}} {{lockstep_condition}}',
        },
      ],
    },
    {
      title: 'Processors slowed down by heat',
      description: 'Times that it happened within each trial (x86).',
      kind: 'bargauge',
      unit: 'short',
      queries: [
        {
          expr:
            'topk(20, sum by (device_id, lockstep_trial_id) ' +
            `(${grown(metric('lockstep.host.throttle.events', ...OF_DEVICES))}))`,
          legend: TRIAL,
        },
      ],
    },
  ],
};

/** One run: its trials, what their sandboxes used, and the conditions on its devices. */
export const RUN: DashboardSpec = {
  uid: 'lockstep-run',
  title: 'Lockstep: run',
  description: 'The trials of a run, with their traces, and the conditions on its devices.',
  variables: [
    {
      name: 'run',
      label: 'Run',
      of: metric('system.cpu.time'),
      values: 'lockstep_run_id',
      isSingle: true,
    },
    {
      name: 'device',
      label: 'Device',
      of: metric('system.cpu.time', OF_RUN),
      values: 'device_id',
    },
  ],
  from: 'now-6h',
  refresh: '',
  rows: [trials, sandboxes, devices],
};
