import test from 'ava';
import { vmmTarget } from '../../../agent/sandboxes/vmm-target.ts';

const SPEC = { id: 's3-microvm', limits: { memoryMib: 128, cpus: 1.5 } };

test('vmmTarget has a socket under KVM, and a vCPU for each begun processor', (t) => {
  t.deepEqual(vmmTarget({ scratchFolder: '/tmp/runner' }, SPEC, { accelerator: 'kvm' }), {
    vcpus: 2,
    vcpuThreadPrefix: 'CPU ',
    qmpSocket: '/tmp/runner/s3-microvm.qmp',
  });
});

test('vmmTarget says why a translated guest has no counters of KVM', (t) => {
  const choice = { accelerator: 'tcg', reason: '/dev/kvm is not there' } as const;
  const target = vmmTarget({ scratchFolder: '/tmp/runner' }, SPEC, choice);
  t.is(target.qmpSocket, undefined);
  t.is(
    target.kvmUnavailable,
    'the guest is translated (TCG) and does not run under KVM: /dev/kvm is not there',
  );
});

test('vmmTarget has no socket where its path would be too long', (t) => {
  const scratchFolder = `/${'long/'.repeat(300)}`;
  const target = vmmTarget({ scratchFolder }, SPEC, { accelerator: 'kvm' });
  t.is(target.qmpSocket, undefined);
  t.regex(target.kvmUnavailable ?? '', /^no socket can have a path as long as \/long/);
  t.is(target.kvmUnavailable?.length, 400);
});
