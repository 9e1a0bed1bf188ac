import test from 'ava';
import {
  firecrackerRequest,
  startRequests,
} from '../../../../agent/sandboxes/firecracker/api-client.ts';
import { readChoices } from '../../../../agent/sandboxes/firecracker/host.ts';
import { vcpusOf, vmConfig } from '../../../../agent/sandboxes/firecracker/vm-config.ts';
import { BODIES, bodyMistake } from '../../../support/fake-firecracker/fields.ts';

const PLAN = {
  payload: {
    kernelFile: '/vmlinux',
    initrdFile: '/initrd',
    bootArgs: 'console=ttyS0 -- --listen 10.77.0.2:8080',
    drives: [{ id: 'rootfs', file: '/root.ext4', isRoot: true, isReadOnly: false }],
  },
  limits: { memoryMib: 128, cpus: 2.5 },
  slot: { index: 4, interfaceName: 't4', macAddress: '02:4c:53:00:04:02' },
  metricsFile: '/metrics',
  vsockFile: '/vsock',
};

test('vcpusOf rounds up, to one or an even number, and to no more than there may be', (t) => {
  const counts = [0.1, 1, 1.5, 2, 3, 4, 31, 64].map((cpus) => vcpusOf({ cpus }));
  t.deepEqual(counts, [1, 1, 2, 2, 4, 4, 32, 32]);
});

test('vmConfig has what its plan says, by the names of the configuration file', (t) => {
  t.deepEqual(vmConfig(PLAN), {
    metrics: { metrics_path: '/metrics' },
    'machine-config': { vcpu_count: 4, mem_size_mib: 128 },
    'boot-source': {
      kernel_image_path: '/vmlinux',
      boot_args: 'console=ttyS0 -- --listen 10.77.0.2:8080',
      initrd_path: '/initrd',
    },
    drives: [
      {
        drive_id: 'rootfs',
        is_root_device: true,
        is_read_only: false,
        path_on_host: '/root.ext4',
      },
    ],
    'network-interfaces': [
      { iface_id: 'eth0', host_dev_name: 't4', guest_mac: '02:4c:53:00:04:02' },
    ],
    vsock: { guest_cid: 7, uds_path: '/vsock' },
  });
});

test('startRequests ends with the start, and every body is one that the document has', (t) => {
  const requests = startRequests(vmConfig(PLAN));
  t.deepEqual(
    requests.map(({ method, path }) => `${method} ${path}`),
    [
      ...['PUT /metrics', 'PUT /machine-config', 'PUT /boot-source', 'PUT /drives/rootfs'],
      ...['PUT /network-interfaces/eth0', 'PUT /vsock', 'PUT /actions'],
    ],
  );
  for (const { method, path, body } of requests) {
    const fields = BODIES[`${method} ${path.split('/')[1] ?? ''}`];
    t.is(bodyMistake(fields!, body), undefined, path);
  }
});

test('firecrackerRequest refuses a body that Firecracker would refuse', (t) => {
  t.throws(() => firecrackerRequest('PUT /machine-config', { vcpu_count: 3, mem_size_mib: 1 }));
  t.throws(() => firecrackerRequest('PUT /vsock', { guest_cid: 2, uds_path: '/v' }));
  const extra = { state: 'Paused', why: 'none' } as { state: 'Paused' };
  t.throws(() => firecrackerRequest('PATCH /vm', extra), { message: /why/ });
});

test('readChoices has defaults, and refuses what there is not', (t) => {
  const defaults = { start: 'config-file', isJailed: false, hasVsock: false } as const;
  t.deepEqual(readChoices({}), defaults);
  t.deepEqual(
    readChoices({ LOCKSTEP_FIRECRACKER_START: 'api', LOCKSTEP_FIRECRACKER_JAILER: '1' }),
    { start: 'api', isJailed: true, hasVsock: false },
  );
  t.throws(() => readChoices({ LOCKSTEP_FIRECRACKER_JAILER: 'yes' }), { code: 'USAGE' });
});
