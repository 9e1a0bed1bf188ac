/**
 * The names of all telemetry in one file: metrics, attributes and span names. Where OpenTelemetry
 * has a name it is used as it stands (semantic conventions 1.45.0); `lockstep.` begins those that
 * have none there. docs/telemetry.md lists them with unit, type and source.
 */

import type { AttributeName } from './telemetry-attributes.ts';

/** The conventions that the names come from; the schema URL of what is exported. */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.45.0';

/** What is read together, at one instant and one rate. */
export const SOURCES = {
  'cgroup-cpu': 'CPU time and throttling of the cgroup of a sandbox.',
  'cgroup-memory': 'Memory charged to the cgroup of a sandbox now, its peak, and events.',
  'cgroup-memory-stat': 'What the memory charged to a sandbox consists of.',
  'cgroup-io': 'Block I/O of the cgroup of a sandbox.',
  'cgroup-pids': 'Processes and threads of a sandbox.',
  'cgroup-pressure': 'Time that a sandbox waited for a resource (PSI).',
  'sandbox-network': 'Traffic of the network interface of a sandbox.',
  'vmm-threads': 'Run and wait time of the vCPU threads and the other threads of a VMM.',
  kvm: 'Counters that KVM keeps of a guest: exits, interrupts, halts.',
  firecracker: 'Metrics that Firecracker writes of itself.',
  'guest-exits': 'Time that the kernel accounted as spent in a guest.',
  'host-cpu': 'CPU time of the host per mode and per processor.',
  'host-memory': 'Memory of the host by use.',
  'host-disk': 'Block I/O of the host.',
  'host-network': 'Traffic of the network interfaces of the host.',
  'host-pressure': 'Time that tasks of the host waited for a resource (PSI).',
  temperature: 'Temperatures of the processor and the board.',
  frequency: 'Clock frequency of the processors.',
  throttling: 'Under-voltage, and throttling by heat or power.',
  energy: 'Energy and power, measured or estimated.',
} as const;
export type SourceName = keyof typeof SOURCES;
export const SOURCE_NAMES = Object.keys(SOURCES) as [SourceName, ...SourceName[]];

/**
 * counter: only grows, from the creation of what is counted on. level: may grow and fall, and
 * adding up makes sense. gauge: may grow and fall, and adding up makes none.
 */
export type MetricKind = 'counter' | 'level' | 'gauge';

/** What is known of a metric. */
export interface MetricDefinition {
  readonly kind: MetricKind;
  /** UCUM, as OpenTelemetry has it: s, By, Hz, Cel, J, W, or an annotation such as {exit}. */
  readonly unit: string;
  /** Attributes that tell its series apart. */
  readonly attributes: readonly AttributeName[];
  /** Where it is read. */
  readonly source: string;
  readonly description: string;
}

const define = (
  kind: MetricKind,
  unit: string,
  attributes: readonly AttributeName[],
  [source, description]: readonly [source: string, description: string],
): MetricDefinition => ({ kind, unit, attributes, source, description });

const PSI = ['lockstep.resource', 'lockstep.stall'] as const;
const NIC = ['network.interface.name', 'network.io.direction'] as const;

/** Every sampled metric. Values are in its unit from the moment that they are read. */
export const SAMPLED_METRICS = {
  'container.cpu.time': define(
    'counter',
    's',
    [],
    [
      'v2 cpu.stat usage_usec; v1 cpuacct.usage',
      'CPU time of the cgroup of the sandbox; of a microVM, of its VMM with the guest in it.',
    ],
  ),
  'lockstep.sandbox.cpu.mode.time': define(
    'counter',
    's',
    ['cpu.mode'],
    [
      'v2 cpu.stat user_usec, system_usec; v1 cpuacct.stat',
      'The same by mode; on v1 counted by the tick, so the sum may differ.',
    ],
  ),
  'lockstep.sandbox.cpu.periods': define(
    'counter',
    '{period}',
    [],
    ['cpu.stat nr_periods', 'Periods of the CPU limit in which the sandbox wanted to run.'],
  ),
  'lockstep.sandbox.cpu.throttled.periods': define(
    'counter',
    '{period}',
    [],
    ['cpu.stat nr_throttled', 'Periods in which the limit stopped it.'],
  ),
  'lockstep.sandbox.cpu.throttled.time': define(
    'counter',
    's',
    [],
    [
      'v2 cpu.stat throttled_usec; v1 cpu.stat throttled_time',
      'Time that its run queues were stopped by the limit, over all processors.',
    ],
  ),
  'container.memory.usage': define(
    'level',
    'By',
    [],
    [
      'v2 memory.current; v1 memory.usage_in_bytes',
      'Memory charged to the cgroup of the sandbox; in steps of 64 pages per processor.',
    ],
  ),
  'lockstep.sandbox.memory.peak': define(
    'gauge',
    'By',
    [],
    ['v2 memory.peak; v1 memory.max_usage_in_bytes', 'The highest that was ever charged.'],
  ),
  'lockstep.sandbox.memory.events': define(
    'counter',
    '{event}',
    ['lockstep.event'],
    [
      'v2 memory.events; v1 memory.failcnt as max, memory.oom_control oom_kill',
      'Times that a limit was reached or a process was killed for it.',
    ],
  ),
  'container.memory.rss': define(
    'level',
    'By',
    [],
    ['memory.stat: v2 anon, v1 total_rss', 'Anonymous memory.'],
  ),
  'container.memory.working_set': define(
    'level',
    'By',
    [],
    ['usage minus memory.stat inactive_file', 'What could not be taken back at once.'],
  ),
  'lockstep.sandbox.memory.kind': define(
    'level',
    'By',
    ['lockstep.memory.kind'],
    ['memory.stat; v1 by the names of v2', 'Memory by kind: file, kernel, slab, shmem and so on.'],
  ),
  'container.paging.faults': define(
    'counter',
    '{fault}',
    ['system.paging.fault.type'],
    ['memory.stat pgfault, pgmajfault', 'Page faults; minor is all less the major ones.'],
  ),
  'container.disk.io': define(
    'counter',
    'By',
    ['disk.io.direction'],
    [
      'v2 io.stat; v1 blkio.throttle.io_service_bytes',
      'Bytes moved by block I/O, over all devices.',
    ],
  ),
  'lockstep.sandbox.disk.operations': define(
    'counter',
    '{operation}',
    ['disk.io.direction'],
    ['v2 io.stat; v1 blkio.throttle.io_serviced', 'Block I/O operations, over all devices.'],
  ),
  'lockstep.sandbox.tasks': define(
    'level',
    '{task}',
    [],
    ['pids.current', 'Processes and threads in the cgroup of the sandbox.'],
  ),
  'lockstep.sandbox.pressure.time': define('counter', 's', PSI, [
    'v2 cpu.pressure, memory.pressure, io.pressure: total',
    'Time that tasks of the sandbox waited for a resource.',
  ]),
  'container.network.io': define(
    'counter',
    'By',
    ['network.io.direction'],
    [
      "/proc/PID/net/dev of the sandbox's interface",
      'Bytes as the sandbox sees them: receive is what reached it.',
    ],
  ),
  'lockstep.sandbox.network.packets': define(
    'counter',
    '{packet}',
    ['network.io.direction'],
    ["/proc/PID/net/dev of the sandbox's interface", 'Packets, as above.'],
  ),
  'lockstep.sandbox.network.dropped': define(
    'counter',
    '{packet}',
    ['network.io.direction'],
    ["/proc/PID/net/dev of the sandbox's interface", 'Packets dropped, as above.'],
  ),
  'lockstep.vmm.thread.run.time': define(
    'counter',
    's',
    ['lockstep.thread'],
    [
      '/proc/PID/task/TID/schedstat, first number',
      'Time that the thread ran; for a vCPU that is guest and exits together.',
    ],
  ),
  'lockstep.vmm.thread.wait.time': define(
    'counter',
    's',
    ['lockstep.thread'],
    [
      '/proc/PID/task/TID/schedstat, second number',
      'Time that it was ready and waited for a processor: what the guest sees as stolen.',
    ],
  ),
  'lockstep.kvm.count': define(
    'counter',
    '{event}',
    ['lockstep.stat', 'lockstep.thread'],
    [
      'QMP query-stats, or debugfs kvm/',
      'Events that KVM counted, by its own names; without thread for the whole guest.',
    ],
  ),
  'lockstep.kvm.time': define(
    'counter',
    's',
    ['lockstep.stat', 'lockstep.thread'],
    ['QMP query-stats, or debugfs kvm/', 'Times that KVM added up, such as halt_wait_ns.'],
  ),
  'lockstep.kvm.level': define(
    'gauge',
    '{item}',
    ['lockstep.stat', 'lockstep.thread'],
    [
      'QMP query-stats, or debugfs kvm/',
      'What KVM tells as it is now or as its peak, such as mapped pages.',
    ],
  ),
  'lockstep.firecracker.count': define(
    'counter',
    '{event}',
    ['lockstep.component', 'lockstep.stat'],
    ['Firecracker metrics file', 'Counters of Firecracker, added up over its flushes.'],
  ),
  'lockstep.firecracker.latency': define(
    'gauge',
    's',
    ['lockstep.component', 'lockstep.stat'],
    ['Firecracker metrics file', 'Latencies that it states, and the extremes of its aggregates.'],
  ),
  'lockstep.sandbox.guest.time': define(
    'counter',
    's',
    [],
    [
      '/proc/PID/stat guest_time of the VMM',
      'Time that the kernel accounted as spent in a guest; counted by the tick.',
    ],
  ),
  'system.cpu.time': define(
    'counter',
    's',
    ['cpu.mode'],
    [
      '/proc/stat cpu',
      'CPU time of all processors together, by mode. user and nice are without what guests used.',
    ],
  ),
  'lockstep.host.cpu.busy.time': define(
    'counter',
    's',
    ['cpu.logical_number'],
    ['/proc/stat cpuN', 'Time that a processor neither idled nor waited for I/O.'],
  ),
  'lockstep.host.context_switches': define(
    'counter',
    '{switch}',
    [],
    ['/proc/stat ctxt', 'Context switches.'],
  ),
  'lockstep.host.runnable': define(
    'gauge',
    '{task}',
    [],
    ['/proc/stat procs_running', 'Tasks that run or want to.'],
  ),
  'system.memory.usage': define(
    'level',
    'By',
    ['system.memory.state'],
    ['/proc/meminfo', 'Memory by state; used is all but free, buffers and cached.'],
  ),
  'system.memory.linux.available': define(
    'level',
    'By',
    [],
    ['/proc/meminfo MemAvailable', 'Memory that could be had without swapping.'],
  ),
  'system.disk.io': define(
    'counter',
    'By',
    ['system.device.name', 'disk.io.direction'],
    ['/sys/block/NAME/stat, or /proc/diskstats', 'Bytes moved, for whole disks.'],
  ),
  'system.disk.operations': define(
    'counter',
    '{operation}',
    ['system.device.name', 'disk.io.direction'],
    ['/sys/block/NAME/stat, or /proc/diskstats', 'Operations, for whole disks.'],
  ),
  'system.disk.io_time': define(
    'counter',
    's',
    ['system.device.name'],
    ['/sys/block/NAME/stat, or /proc/diskstats', 'Time with at least one operation going.'],
  ),
  'system.network.io': define('counter', 'By', NIC, ['/proc/net/dev', 'Bytes, all but loopback.']),
  'system.network.packet.count': define('counter', '{packet}', NIC, [
    '/proc/net/dev',
    'Packets, all but loopback.',
  ]),
  'system.network.packet.dropped': define('counter', '{packet}', NIC, [
    '/proc/net/dev',
    'Packets dropped, all but loopback.',
  ]),
  'system.network.errors': define('counter', '{error}', NIC, [
    '/proc/net/dev',
    'Errors, all but loopback.',
  ]),
  'lockstep.host.pressure.time': define('counter', 's', PSI, [
    '/proc/pressure/cpu, memory, io: total',
    'Time that tasks of the host waited for a resource.',
  ]),
  'hw.temperature': define(
    'gauge',
    'Cel',
    ['hw.id', 'hw.name'],
    ['/sys/class/thermal, /sys/class/hwmon', 'Temperature.'],
  ),
  'system.cpu.frequency': define(
    'gauge',
    'Hz',
    ['cpu.logical_number'],
    [
      '/sys/devices/system/cpu/cpuN/cpufreq/scaling_cur_freq, else /proc/cpuinfo',
      'Frequency of the processor, as the kernel last set or saw it.',
    ],
  ),
  'lockstep.host.throttled': define(
    'gauge',
    '{condition}',
    ['lockstep.condition', 'lockstep.since'],
    ['Raspberry Pi firmware, hwmon rpi_volt', '1 if the condition holds, 0 if it does not.'],
  ),
  'lockstep.host.throttle.events': define(
    'counter',
    '{event}',
    ['cpu.logical_number'],
    [
      '/sys/devices/system/cpu/cpuN/thermal_throttle/core_throttle_count',
      'Times that heat slowed a processor down (x86).',
    ],
  ),
  'hw.energy': define(
    'counter',
    'J',
    ['hw.id', 'hw.name'],
    [
      '/sys/class/powercap (RAPL), hwmon energyN_input',
      'Energy used since the first reading; wraps of the counter are added up.',
    ],
  ),
  'hw.power': define('gauge', 'W', ['hw.id', 'hw.name'], ['hwmon powerN_input', 'Power.']),
  'lockstep.host.power.estimate': define(
    'gauge',
    'W',
    ['hw.id'],
    [
      'Raspberry Pi 5: vcgencmd pmic_read_adc',
      'Power estimated from the rails of the regulator; USB and HAT are not in it.',
    ],
  ),
} as const satisfies Record<string, MetricDefinition>;
export type SampledMetric = keyof typeof SAMPLED_METRICS;
export const SAMPLED_METRIC_NAMES = Object.keys(SAMPLED_METRICS) as [
  SampledMetric,
  ...SampledMetric[],
];
