import type { SourceName } from '../../schemas/telemetry-names.ts';
import { cgroupCpu } from './cgroup-cpu.ts';
import { cgroupIo } from './cgroup-io.ts';
import { cgroupMemory } from './cgroup-memory.ts';
import { cgroupMemoryStat } from './cgroup-memory-stat.ts';
import { cgroupPids } from './cgroup-pids.ts';
import { cgroupPressure } from './cgroup-pressure.ts';
import type { HostCollector, SandboxCollector } from './collector.ts';
import { energy } from './energy.ts';
import { firecracker } from './firecracker.ts';
import { frequency } from './frequency.ts';
import { guestExits } from './guest-exits.ts';
import { hostCpu } from './host-cpu.ts';
import { hostDisk } from './host-disk.ts';
import { hostMemory } from './host-memory.ts';
import { hostNetwork } from './host-network.ts';
import { hostPressure } from './host-pressure.ts';
import { kvm } from './kvm.ts';
import { sandboxNetwork } from './sandbox-network.ts';
import { temperature } from './temperature.ts';
import { throttling } from './throttling.ts';
import { vmmThreads } from './vmm-threads.ts';

/** The collectors of what belongs to one sandbox, by source. */
export const SANDBOX_COLLECTORS = {
  // Control groups and network.
  'cgroup-cpu': cgroupCpu,
  'cgroup-memory': cgroupMemory,
  'cgroup-memory-stat': cgroupMemoryStat,
  'cgroup-io': cgroupIo,
  'cgroup-pids': cgroupPids,
  'cgroup-pressure': cgroupPressure,
  'sandbox-network': sandboxNetwork,
  // Virtual machines and runtimes.
  'vmm-threads': vmmThreads,
  kvm,
  firecracker,
  'guest-exits': guestExits,
} as const satisfies Partial<Record<SourceName, SandboxCollector>>;

/** The collectors of what belongs to the device, by source. */
export const HOST_COLLECTORS = {
  // The kernel's own counters.
  'host-cpu': hostCpu,
  'host-memory': hostMemory,
  'host-disk': hostDisk,
  'host-network': hostNetwork,
  'host-pressure': hostPressure,
  // Hardware.
  temperature,
  frequency,
  throttling,
  energy,
} as const satisfies Partial<Record<SourceName, HostCollector>>;
