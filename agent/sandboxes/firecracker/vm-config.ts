import type { SandboxLimits } from '../../../schemas/sandbox.ts';
import type { Slot } from '../network.ts';
import { ConfigFile } from './api-schemas.ts';
import type { GuestPayload } from './guest.ts';

/** One guest of Firecracker. Paths are as Firecracker sees them. */
export interface GuestPlan {
  readonly payload: GuestPayload;
  readonly limits: SandboxLimits;
  /** Its tap device. Absent: no network. */
  readonly slot?: Pick<Slot, 'interfaceName' | 'macAddress' | 'index'>;
  readonly metricsFile?: string;
  /** Where the guest's vsock ends. Absent: it has none. */
  readonly vsockFile?: string;
}

/** Identifier of the guest's only network interface, which snapshots name it by. */
export const NETWORK_ID = 'eth0';

/** How Firecracker begins the name of the thread of each vCPU: `fc_vcpu 0`. */
export const VCPU_THREAD_PREFIX = 'fc_vcpu ';

// 0 to 2 are taken: the hypervisor, the loopback and the host.
const GUEST_CID_MIN = 3;
const VCPUS_MAX = 32;

/**
 * As many vCPUs as a guest gets for its limit: rounded up, and from 2 on to an even number, since
 * Firecracker takes no other.
 */
export function vcpusOf({ cpus }: Pick<SandboxLimits, 'cpus'>): number {
  const whole = Math.ceil(cpus);
  return Math.min(whole === 1 ? 1 : whole + (whole % 2), VCPUS_MAX);
}

/** The whole configuration of a guest, as it stands in the file of --config-file. */
export function vmConfig(plan: GuestPlan): ConfigFile {
  const { limits, metricsFile, payload, slot, vsockFile } = plan;
  return ConfigFile.parse({
    ...(metricsFile === undefined ? {} : { metrics: { metrics_path: metricsFile } }),
    'machine-config': { vcpu_count: vcpusOf(limits), mem_size_mib: limits.memoryMib },
    'boot-source': {
      kernel_image_path: payload.kernelFile,
      boot_args: payload.bootArgs,
      ...(payload.initrdFile === undefined ? {} : { initrd_path: payload.initrdFile }),
    },
    drives: payload.drives.map((drive) => ({
      drive_id: drive.id,
      is_root_device: drive.isRoot,
      is_read_only: drive.isReadOnly,
      path_on_host: drive.file,
    })),
    'network-interfaces':
      slot === undefined
        ? []
        : [
            {
              iface_id: NETWORK_ID,
              host_dev_name: slot.interfaceName,
              guest_mac: slot.macAddress,
            },
          ],
    ...(vsockFile === undefined
      ? {}
      : { vsock: { guest_cid: GUEST_CID_MIN + (slot?.index ?? 0), uds_path: vsockFile } }),
  });
}
