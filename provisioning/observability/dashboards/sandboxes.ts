import type { SampledMetric } from '../../../schemas/telemetry-names.ts';
import type { DashboardSpec } from './dashboard.ts';
import { metric, reached } from './metric.ts';
import type { PanelSpec, Row } from './panel.ts';

const OF = [
  'lockstep_run_id=~"$run"',
  'lockstep_function=~"$function"',
  'device_id=~"$device"',
] as const;

/** What makes one sandbox one: medians are over these. */
const ONE = 'lockstep_run_id, lockstep_trial_id, device_id, lockstep_instance_index';

/** One figure per sandbox, compared by kind. */
interface Figure {
  readonly title: string;
  readonly description: string;
  readonly name: SampledMetric;
  readonly unit: string;
  /** Labels beside the kind of sandbox that figures are told apart by. */
  readonly by?: readonly string[];
  readonly matchers?: readonly string[];
  /** Shows only the largest of so many. Default: all. */
  readonly largest?: number;
}

/** The median over the sandboxes of a kind, of the last value that each reached. */
function figure({
  title,
  description,
  name,
  unit,
  by = [],
  matchers = [],
  largest,
}: Figure): PanelSpec {
  const labels = ['lockstep_sandbox_kind', ...by].join(', ');
  const each = `sum by (${labels}, ${ONE}) (${reached(metric(name, ...OF, ...matchers))})`;
  const median = `quantile by (${labels}) (0.5, ${each})`;
  return {
    title,
    description: `${description} Median over the sandboxes in the time shown.`,
    kind: 'bargauge',
    unit,
    width: 8,
    queries: [
      {
        expr: largest === undefined ? median : `topk(${largest}, ${median})`,
        legend: ['lockstep_sandbox_kind', ...by].map((label) => `{{${label}}}`).join(' '),
      },
    ],
  };
}

const processor: Row = {
  title: 'Processor',
  panels: [
    figure({
      title: 'CPU time',
      description: 'From the start of a sandbox to its end; of a microVM, with its VMM.',
      name: 'container.cpu.time',
      unit: 's',
    }),
    figure({
      title: 'CPU time by mode',
      description: 'On cgroup v1 counted by the tick.',
      name: 'lockstep.sandbox.cpu.mode.time',
      unit: 's',
      by: ['cpu_mode'],
    }),
    figure({
      title: 'Stopped by the limit',
      description: 'Time that the CPU limit stopped it, over all processors.',
      name: 'lockstep.sandbox.cpu.throttled.time',
      unit: 's',
    }),
    figure({
      title: 'Periods of the limit',
      description: 'In which it wanted to run.',
      name: 'lockstep.sandbox.cpu.periods',
      unit: 'short',
    }),
    figure({
      title: 'Periods that stopped it',
      description: 'In which the CPU limit was reached.',
      name: 'lockstep.sandbox.cpu.throttled.periods',
      unit: 'short',
    }),
    figure({
      title: 'Waiting (PSI)',
      description: 'Time that its tasks waited for a resource.',
      name: 'lockstep.sandbox.pressure.time',
      unit: 's',
      by: ['lockstep_resource', 'lockstep_stall'],
    }),
    figure({
      title: 'Most tasks',
      description: 'Processes and threads at once.',
      name: 'lockstep.sandbox.tasks',
      unit: 'short',
    }),
  ],
};

const memory: Row = {
  title: 'Memory',
  panels: [
    figure({
      title: 'Peak of memory',
      description: 'The highest that was ever charged.',
      name: 'lockstep.sandbox.memory.peak',
      unit: 'bytes',
    }),
    figure({
      title: 'Anonymous memory',
      description: 'The most that was seen.',
      name: 'container.memory.rss',
      unit: 'bytes',
    }),
    figure({
      title: 'Working set',
      description: 'The most that was seen.',
      name: 'container.memory.working_set',
      unit: 'bytes',
    }),
    figure({
      title: 'Memory by kind',
      description: 'The most that was seen of each kind.',
      name: 'lockstep.sandbox.memory.kind',
      unit: 'bytes',
      by: ['lockstep_memory_kind'],
      largest: 20,
    }),
    figure({
      title: 'Page faults',
      description: 'Minor ones are all less the major ones.',
      name: 'container.paging.faults',
      unit: 'short',
      by: ['system_paging_fault_type'],
    }),
    figure({
      title: 'Limits reached',
      description: 'Times that a limit of memory was reached, or a process was killed for it.',
      name: 'lockstep.sandbox.memory.events',
      unit: 'short',
      by: ['lockstep_event'],
    }),
  ],
};

const traffic: Row = {
  title: 'Disk and network',
  panels: [
    figure({
      title: 'Disk: bytes',
      description: 'Over all devices.',
      name: 'container.disk.io',
      unit: 'bytes',
      by: ['disk_io_direction'],
    }),
    figure({
      title: 'Disk: operations',
      description: 'Over all devices.',
      name: 'lockstep.sandbox.disk.operations',
      unit: 'short',
      by: ['disk_io_direction'],
    }),
    figure({
      title: 'Network: bytes',
      description: 'As the sandbox sees them.',
      name: 'container.network.io',
      unit: 'bytes',
      by: ['network_io_direction'],
    }),
    figure({
      title: 'Network: packets',
      description: 'As the sandbox sees them.',
      name: 'lockstep.sandbox.network.packets',
      unit: 'short',
      by: ['network_io_direction'],
    }),
    figure({
      title: 'Network: dropped',
      description: 'Packets.',
      name: 'lockstep.sandbox.network.dropped',
      unit: 'short',
      by: ['network_io_direction'],
    }),
  ],
};

const virtual: Row = {
  title: 'Virtual machines and monitors',
  panels: [
    figure({
      title: 'Threads: run',
      description: 'CPU time of each vCPU, and of the other threads together.',
      name: 'lockstep.vmm.thread.run.time',
      unit: 's',
      by: ['lockstep_thread'],
    }),
    figure({
      title: 'Threads: wait',
      description: 'Time that each was ready and waited for a processor.',
      name: 'lockstep.vmm.thread.wait.time',
      unit: 's',
      by: ['lockstep_thread'],
    }),
    figure({
      title: 'Time in the guest',
      description: 'Counted by the tick.',
      name: 'lockstep.sandbox.guest.time',
      unit: 's',
    }),
    figure({
      title: 'KVM: events',
      description: 'By the names of KVM, the 20 most frequent.',
      name: 'lockstep.kvm.count',
      unit: 'short',
      by: ['lockstep_stat'],
      largest: 20,
    }),
    figure({
      title: 'KVM: times',
      description: 'Times that KVM added up.',
      name: 'lockstep.kvm.time',
      unit: 's',
      by: ['lockstep_stat'],
      largest: 20,
    }),
    figure({
      title: 'Firecracker: events',
      description: 'Its own counters, the 20 most frequent.',
      name: 'lockstep.firecracker.count',
      unit: 'short',
      by: ['lockstep_component', 'lockstep_stat'],
      largest: 20,
    }),
    figure({
      title: 'Firecracker: latencies',
      description: 'As it states them.',
      name: 'lockstep.firecracker.latency',
      unit: 's',
      by: ['lockstep_component', 'lockstep_stat'],
      largest: 20,
    }),
  ],
};

/** Kinds of sandbox side by side. */
export const SANDBOXES: DashboardSpec = {
  uid: 'lockstep-sandboxes',
  title: 'Lockstep: sandboxes compared',
  description: 'What kinds of sandbox use, side by side. The report of a run has the times.',
  variables: [
    {
      name: 'run',
      label: 'Run',
      of: metric('container.cpu.time'),
      values: 'lockstep_run_id',
    },
    {
      name: 'function',
      label: 'Function',
      of: metric('container.cpu.time', 'lockstep_run_id=~"$run"'),
      values: 'lockstep_function',
    },
    {
      name: 'device',
      label: 'Device',
      of: metric('container.cpu.time', 'lockstep_run_id=~"$run"'),
      values: 'device_id',
    },
  ],
  from: 'now-24h',
  refresh: '',
  rows: [processor, memory, traffic, virtual],
};
