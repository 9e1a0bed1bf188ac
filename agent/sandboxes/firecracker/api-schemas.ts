import { z } from 'zod';

// Names and bounds after Firecracker's API document (src/firecracker/swagger/firecracker.yaml of
// 1.17) and its docs/. Strict, as Firecracker is: it refuses a field that it does not know.

const PATH_CHARACTERS_MAX = 4096;
const HostPath = z.string().min(1).max(PATH_CHARACTERS_MAX);

/** Identifier of a resource: what Firecracker takes in the path of a request. */
export const ResourceId = z.string().regex(/^\w{1,64}$/, 'only letters, digits and underscores');

const TokenBucket = z.strictObject({
  size: z.int().min(0),
  refill_time: z.int().min(0),
  one_time_burst: z.int().min(0).optional(),
});

const RateLimiter = z.strictObject({
  bandwidth: TokenBucket.optional(),
  ops: TokenBucket.optional(),
});

/** Body of PUT /logger. */
export const Logger = z.strictObject({
  log_path: HostPath.optional(),
  level: z.enum(['Error', 'Warning', 'Info', 'Debug', 'Trace', 'Off']).optional(),
  show_level: z.boolean().optional(),
  show_log_origin: z.boolean().optional(),
  module: z.string().optional(),
});

/** Body of PUT /metrics: a file to which a JSON line is added per flush. */
export const Metrics = z.strictObject({ metrics_path: HostPath });

/** Body of PUT /machine-config. Memory in MiB; one vCPU or an even number of them. */
export const MachineConfiguration = z.strictObject({
  vcpu_count: z
    .int()
    .min(1)
    .max(32)
    .refine((count) => count === 1 || count % 2 === 0, 'must be 1 or even'),
  mem_size_mib: z.int().min(1),
  smt: z.boolean().optional(),
  track_dirty_pages: z.boolean().optional(),
  huge_pages: z.enum(['None', 'Transparent', '2M']).optional(),
});

/** Body of PUT /boot-source. */
export const BootSource = z.strictObject({
  kernel_image_path: HostPath,
  initrd_path: HostPath.optional(),
  boot_args: z.string().max(2048).optional(),
});

/** Body of PUT /drives/{drive_id}: a virtio block device with a raw image behind it. */
export const Drive = z.strictObject({
  drive_id: ResourceId,
  is_root_device: z.boolean(),
  path_on_host: HostPath,
  is_read_only: z.boolean(),
  partuuid: z.string().optional(),
  cache_type: z.enum(['Unsafe', 'Writeback']).optional(),
  io_engine: z.enum(['Sync', 'Async']).optional(),
  rate_limiter: RateLimiter.optional(),
});
export type Drive = z.output<typeof Drive>;

/** Body of PUT /network-interfaces/{iface_id}. */
export const NetworkInterface = z.strictObject({
  iface_id: ResourceId,
  host_dev_name: z.string().min(1).max(15),
  guest_mac: z
    .string()
    .regex(/^(?:[\da-f]{2}:){5}[\da-f]{2}$/i)
    .optional(),
  mtu: z.int().min(68).max(65_535).optional(),
  rx_rate_limiter: RateLimiter.optional(),
  tx_rate_limiter: RateLimiter.optional(),
});

/** Body of PUT /vsock. */
export const Vsock = z.strictObject({
  guest_cid: z.int().min(3).max(0xffff_fffe),
  uds_path: HostPath,
});

/** Body of PUT /actions. */
export const Action = z.strictObject({
  action_type: z.enum(['InstanceStart', 'FlushMetrics', 'SendCtrlAltDel']),
});

/** Body of PATCH /vm. */
export const VmState = z.strictObject({ state: z.enum(['Paused', 'Resumed']) });

/** Body of PUT /snapshot/create; the guest must be paused. */
export const SnapshotCreate = z.strictObject({
  snapshot_path: HostPath,
  mem_file_path: HostPath,
  snapshot_type: z.enum(['Full', 'Diff']).optional(),
});

/** Body of PUT /snapshot/load; only before anything but logger and metrics was configured. */
export const SnapshotLoad = z.strictObject({
  snapshot_path: HostPath,
  mem_backend: z.strictObject({
    backend_type: z.enum(['File', 'Uffd']),
    backend_path: HostPath,
  }),
  track_dirty_pages: z.boolean().optional(),
  resume_vm: z.boolean().optional(),
  network_overrides: z
    .array(z.strictObject({ iface_id: ResourceId, host_dev_name: z.string().min(1).max(15) }))
    .optional(),
  vsock_override: z.strictObject({ uds_path: HostPath }).optional(),
});

/** The body of each request that is made here, by method and path; `*` stands for an identifier. */
export const REQUEST_BODIES = {
  'PUT /logger': Logger,
  'PUT /metrics': Metrics,
  'PUT /machine-config': MachineConfiguration,
  'PUT /boot-source': BootSource,
  'PUT /drives/*': Drive,
  'PUT /network-interfaces/*': NetworkInterface,
  'PUT /vsock': Vsock,
  'PUT /actions': Action,
  'PATCH /vm': VmState,
  'PUT /snapshot/create': SnapshotCreate,
  'PUT /snapshot/load': SnapshotLoad,
} as const;
export type RequestName = keyof typeof REQUEST_BODIES;

/** What GET / answers. */
export const InstanceInfo = z.object({
  app_name: z.string(),
  id: z.string(),
  state: z.enum(['Not started', 'Running', 'Paused']),
  vmm_version: z.string(),
});
export type InstanceInfo = z.output<typeof InstanceInfo>;

/** What every refusal says. */
export const Fault = z.object({ fault_message: z.string() });

/** The file of --config-file: all that a cold start needs, read by Firecracker itself. */
export const ConfigFile = z.strictObject({
  metrics: Metrics.optional(),
  logger: Logger.optional(),
  'machine-config': MachineConfiguration,
  'boot-source': BootSource,
  drives: z.array(Drive).max(8),
  'network-interfaces': z.array(NetworkInterface).max(8),
  vsock: Vsock.optional(),
});
export type ConfigFile = z.output<typeof ConfigFile>;
