import type { SampledMetric } from '../../../schemas/telemetry-names.ts';
import type { DashboardSpec } from './dashboard.ts';
import { metric } from './metric.ts';
import type { PanelSpec, Row } from './panel.ts';

const OF = [
  'device_id=~"$device"',
  'lockstep_run_id=~"$run"',
  'lockstep_trial_id=~"$trial"',
] as const;
const SANDBOX = '{{lockstep_sandbox_kind}} {{lockstep_instance_index}}';

/** One metric, each of its series a line; a counter as its growth per second. */
interface Course {
  readonly title: string;
  readonly description: string;
  readonly name: SampledMetric;
  readonly unit: string;
  /** Labels that tell its series apart. */
  readonly legend: string;
  /** True for a counter. */
  readonly isRate?: boolean;
  readonly matchers?: readonly string[];
}

function course({
  title,
  description,
  name,
  unit,
  legend,
  isRate,
  matchers = [],
}: Course): PanelSpec {
  const selector = metric(name, ...OF, ...matchers);
  const expr = isRate === true ? `rate(${selector}[$window])` : selector;
  return {
    title,
    description,
    kind: 'timeseries',
    unit,
    width: 8,
    leadsToTrace: true,
    queries: [{ expr, legend }],
  };
}

const processor: Row = {
  title: 'Processors',
  panels: [
    course({
      title: 'CPU by mode',
      description: 'Processors that were in each mode; user is without what guests used.',
      name: 'system.cpu.time',
      unit: 'short',
      legend: '{{cpu_mode}}',
      isRate: true,
    }),
    course({
      title: 'Busy processors',
      description: 'Share of the time that each processor worked.',
      name: 'lockstep.host.cpu.busy.time',
      unit: 'percentunit',
      legend: 'cpu {{cpu_logical_number}}',
      isRate: true,
    }),
    course({
      title: 'Frequency',
      description: 'As the kernel last set or saw it.',
      name: 'system.cpu.frequency',
      unit: 'hertz',
      legend: 'cpu {{cpu_logical_number}}',
    }),
    course({
      title: 'Tasks that run or want to',
      description: 'Over all processors.',
      name: 'lockstep.host.runnable',
      unit: 'short',
      legend: 'runnable',
    }),
    course({
      title: 'Context switches',
      description: 'Per second, over all processors.',
      name: 'lockstep.host.context_switches',
      unit: 'cps',
      legend: 'switches',
      isRate: true,
    }),
    course({
      title: 'Waiting tasks (PSI)',
      description: 'Share of the time that tasks waited for a resource.',
      name: 'lockstep.host.pressure.time',
      unit: 'percentunit',
      legend: '{{lockstep_resource}} {{lockstep_stall}}',
      isRate: true,
    }),
  ],
};

const power: Row = {
  title: 'Heat and power',
  panels: [
    course({
      title: 'Temperature',
      description: 'Of each sensor.',
      name: 'hw.temperature',
      unit: 'celsius',
      legend: '{{hw_name}} {{hw_id}}',
    }),
    course({
      title: 'Throttling now',
      description: '1 while a condition holds (Raspberry Pi).',
      name: 'lockstep.host.throttled',
      unit: 'short',
      legend: '{{lockstep_condition}}',
      matchers: ['lockstep_since="now"'],
    }),
    course({
      title: 'Slowed down by heat',
      description: 'Times that it happened since the start of the system (x86).',
      name: 'lockstep.host.throttle.events',
      unit: 'short',
      legend: 'cpu {{cpu_logical_number}}',
    }),
    course({
      title: 'Power from energy',
      description: 'What the counters of energy grew by per second.',
      name: 'hw.energy',
      unit: 'watt',
      legend: '{{hw_name}} {{hw_id}}',
      isRate: true,
    }),
    course({
      title: 'Power',
      description: 'As a sensor measures it.',
      name: 'hw.power',
      unit: 'watt',
      legend: '{{hw_name}} {{hw_id}}',
    }),
    course({
      title: 'Power, estimated',
      description: 'From the rails of the regulator (Raspberry Pi 5); USB and HAT are not in it.',
      name: 'lockstep.host.power.estimate',
      unit: 'watt',
      legend: '{{hw_id}}',
    }),
  ],
};

const memoryAndDisk: Row = {
  title: 'Memory and disks',
  panels: [
    course({
      title: 'Memory by state',
      description: 'used is all but free, buffers and cached.',
      name: 'system.memory.usage',
      unit: 'bytes',
      legend: '{{system_memory_state}}',
    }),
    course({
      title: 'Memory available',
      description: 'What could be had without swapping.',
      name: 'system.memory.linux.available',
      unit: 'bytes',
      legend: 'available',
    }),
    course({
      title: 'Disk: bytes',
      description: 'Moved per second.',
      name: 'system.disk.io',
      unit: 'Bps',
      legend: '{{system_device_name}} {{disk_io_direction}}',
      isRate: true,
    }),
    course({
      title: 'Disk: operations',
      description: 'Per second.',
      name: 'system.disk.operations',
      unit: 'iops',
      legend: '{{system_device_name}} {{disk_io_direction}}',
      isRate: true,
    }),
    course({
      title: 'Disk: busy',
      description: 'Share of the time with at least one operation going.',
      name: 'system.disk.io_time',
      unit: 'percentunit',
      legend: '{{system_device_name}}',
      isRate: true,
    }),
  ],
};

const NIC = '{{network_interface_name}} {{network_io_direction}}';

const network: Row = {
  title: 'Network',
  panels: [
    course({
      title: 'Network: bytes',
      description: 'Per second, all but loopback.',
      name: 'system.network.io',
      unit: 'Bps',
      legend: NIC,
      isRate: true,
    }),
    course({
      title: 'Network: packets',
      description: 'Per second, all but loopback.',
      name: 'system.network.packet.count',
      unit: 'pps',
      legend: NIC,
      isRate: true,
    }),
    course({
      title: 'Network: dropped',
      description: 'Packets dropped per second.',
      name: 'system.network.packet.dropped',
      unit: 'pps',
      legend: NIC,
      isRate: true,
    }),
    course({
      title: 'Network: errors',
      description: 'Per second.',
      name: 'system.network.errors',
      unit: 'cps',
      legend: NIC,
      isRate: true,
    }),
  ],
};

const sandboxes: Row = {
  title: 'Sandboxes of the trials',
  panels: [
    course({
      title: 'Sandbox: CPU',
      description: 'Processors that it kept busy; of a microVM, with its VMM.',
      name: 'container.cpu.time',
      unit: 'short',
      legend: SANDBOX,
      isRate: true,
    }),
    course({
      title: 'Sandbox: memory',
      description: 'Charged to its cgroup.',
      name: 'container.memory.usage',
      unit: 'bytes',
      legend: SANDBOX,
    }),
    course({
      title: 'Sandbox: tasks',
      description: 'Processes and threads.',
      name: 'lockstep.sandbox.tasks',
      unit: 'short',
      legend: SANDBOX,
    }),
    course({
      title: 'Threads of VMMs: run',
      description: 'Processors that each thread kept busy; for a vCPU, guest and exits together.',
      name: 'lockstep.vmm.thread.run.time',
      unit: 'short',
      legend: `${SANDBOX} {{lockstep_thread}}`,
      isRate: true,
    }),
    course({
      title: 'Threads of VMMs: wait',
      description: 'Share of the time that each was ready and waited: stolen from the guest.',
      name: 'lockstep.vmm.thread.wait.time',
      unit: 'percentunit',
      legend: `${SANDBOX} {{lockstep_thread}}`,
      isRate: true,
    }),
    course({
      title: 'KVM: events',
      description: 'Per second, by the names of KVM.',
      name: 'lockstep.kvm.count',
      unit: 'cps',
      legend: `${SANDBOX} {{lockstep_stat}} {{lockstep_thread}}`,
      isRate: true,
    }),
    course({
      title: 'KVM: levels',
      description: 'What KVM tells as it is now, or as its peak.',
      name: 'lockstep.kvm.level',
      unit: 'short',
      legend: `${SANDBOX} {{lockstep_stat}} {{lockstep_thread}}`,
    }),
  ],
};

/** One device while trials were sampled on it. Zoom in to a trial to see its samples. */
export const DEVICE: DashboardSpec = {
  uid: 'lockstep-device',
  title: 'Lockstep: device',
  description: 'A device while trials were sampled on it; zoom in to a trial to see its samples.',
  variables: [
    {
      name: 'device',
      label: 'Device',
      of: metric('system.cpu.time'),
      values: 'device_id',
      isSingle: true,
    },
    {
      name: 'run',
      label: 'Run',
      of: metric('system.cpu.time', 'device_id=~"$device"'),
      values: 'lockstep_run_id',
    },
    {
      name: 'trial',
      label: 'Trial',
      of: metric('system.cpu.time', 'device_id=~"$device"', 'lockstep_run_id=~"$run"'),
      values: 'lockstep_trial_id',
    },
    // Trials last seconds: a window of a minute would show next to nothing of them.
    { name: 'window', label: 'Window of rates', values: ['1s', '100ms', '10s', '1m'] },
  ],
  from: 'now-1h',
  refresh: '',
  rows: [processor, power, memoryAndDisk, network, sandboxes],
};
