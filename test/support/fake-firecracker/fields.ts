// What the API takes, written from Firecracker's swagger document and not from the product's
// schemas, so that a mistake there is found here. A field's kind is `text`, `path`, `count`,
// `flag`, a list of words, or the fields of an object in it; a `*` marks what must be there.

type Kind = 'text' | 'path' | 'count' | 'flag' | 'any' | readonly string[] | Fields | [Fields];
export interface Fields {
  readonly [name: string]: Kind;
}

const RATE_LIMITER = { bandwidth: 'any', ops: 'any' } as const;

/** The bodies by the first part of the path. */
export const BODIES: Record<string, Fields> = {
  'PUT logger': {
    log_path: 'path',
    level: ['Error', 'Warning', 'Info', 'Debug', 'Trace', 'Off'],
    show_level: 'flag',
    show_log_origin: 'flag',
    module: 'text',
  },
  'PUT metrics': { 'metrics_path*': 'path', emit_id: 'flag', properties: 'any' },
  'PUT machine-config': {
    'vcpu_count*': 'count',
    'mem_size_mib*': 'count',
    smt: 'flag',
    track_dirty_pages: 'flag',
    cpu_template: ['C3', 'T2', 'T2S', 'T2CL', 'T2A', 'V1N1', 'None'],
    huge_pages: ['None', 'Transparent', '2M'],
  },
  'PUT boot-source': { 'kernel_image_path*': 'path', initrd_path: 'path', boot_args: 'text' },
  'PUT drives': {
    'drive_id*': 'text',
    'is_root_device*': 'flag',
    path_on_host: 'path',
    is_read_only: 'flag',
    partuuid: 'text',
    cache_type: ['Unsafe', 'Writeback'],
    io_engine: ['Sync', 'Async'],
    rate_limiter: RATE_LIMITER,
    socket: 'path',
  },
  'PUT network-interfaces': {
    'iface_id*': 'text',
    'host_dev_name*': 'text',
    guest_mac: 'text',
    mtu: 'count',
    rx_rate_limiter: RATE_LIMITER,
    tx_rate_limiter: RATE_LIMITER,
  },
  'PUT vsock': { 'guest_cid*': 'count', 'uds_path*': 'path', vsock_id: 'text' },
  'PUT actions': { 'action_type*': ['InstanceStart', 'FlushMetrics', 'SendCtrlAltDel'] },
  'PATCH vm': { 'state*': ['Paused', 'Resumed'] },
  'PUT snapshot/create': {
    'snapshot_path*': 'path',
    'mem_file_path*': 'path',
    snapshot_type: ['Full', 'Diff'],
  },
  'PUT snapshot/load': {
    'snapshot_path*': 'path',
    mem_backend: { 'backend_type*': ['File', 'Uffd'], 'backend_path*': 'path' },
    mem_file_path: 'path',
    enable_diff_snapshots: 'flag',
    track_dirty_pages: 'flag',
    resume_vm: 'flag',
    network_overrides: [{ 'iface_id*': 'text', 'host_dev_name*': 'text' }],
    vsock_override: { 'uds_path*': 'path' },
    clock_realtime: 'flag',
    huge_pages: ['Snapshot', 'None', 'Transparent', '2M'],
  },
};

/** What is wrong with a body; undefined if nothing is. */
export function bodyMistake(fields: Fields, body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return 'invalid type: expected a map';
  }
  const known = new Map(
    Object.entries(fields).map(([name, kind]) => [name.replace('*', ''), kind]),
  );
  for (const [name, value] of Object.entries(body)) {
    const kind = known.get(name);
    if (kind === undefined) {
      const names = [...known.keys()].map((one) => `\`${one}\``).join(', ');
      return `unknown field \`${name}\`, expected one of ${names}`;
    }
    const mistake = valueMistake(kind, value);
    if (mistake !== undefined) return `${name}: ${mistake}`;
  }
  const missing = Object.keys(fields).find(
    (name) => name.endsWith('*') && !Object.hasOwn(body, name.slice(0, -1)),
  );
  return missing === undefined ? undefined : `missing field \`${missing.slice(0, -1)}\``;
}

function valueMistake(kind: Kind, value: unknown): string | undefined {
  if (kind === 'any') return undefined;
  if (kind === 'text' || kind === 'path') {
    return typeof value === 'string' ? undefined : 'invalid type: expected a string';
  }
  if (kind === 'flag') {
    return typeof value === 'boolean' ? undefined : 'invalid type: expected a boolean';
  }
  if (kind === 'count') {
    const isCount = Number.isInteger(value) && (value as number) >= 0;
    return isCount ? undefined : 'invalid type: expected u64';
  }
  if (isWords(kind)) {
    if (kind.includes(value as string)) return undefined;
    return `unknown variant \`${String(value)}\`, expected one of ${kind.join(', ')}`;
  }
  if (Array.isArray(kind)) {
    if (!Array.isArray(value)) return 'invalid type: expected a sequence';
    return value.map((one) => bodyMistake(kind[0], one)).find((text) => text);
  }
  return bodyMistake(kind, value);
}

function isWords(kind: Kind): kind is readonly string[] {
  return Array.isArray(kind) && kind.every((word) => typeof word === 'string');
}
