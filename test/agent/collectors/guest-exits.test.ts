import test from 'ava';
import { guestExits, parseGuestTicks } from '../../../agent/collectors/guest-exits.ts';
import type { SandboxTarget } from '../../../agent/collectors/collector.ts';
import { withFileTree } from './file-tree.ts';
import { fast } from './opened.ts';

// Composed after proc_pid_stat(5): state is field 3, guest_time field 43; each field its number.
const FIELDS = Array.from({ length: 50 }, (_, index) => String(index + 3));
const STAT = `42 (CPU 0/KVM) (x) ${FIELDS.join(' ')}\n`;

function targetOf(processes: string): SandboxTarget {
  return {
    index: 0,
    id: 's0',
    cgroup: { mode: 'v2', processes },
    vmm: { vcpus: 1, vcpuThreadPrefix: 'CPU ' },
  };
}

test('parseGuestTicks finds field 43 behind any name', (t) => {
  const text = Buffer.from(STAT);
  t.is(parseGuestTicks(text, text.length), 43);
});

test('parseGuestTicks takes nothing from a text that is cut or of another kind', (t) => {
  for (const text of ['', '42 (a', '42 (a) S 1 2', STAT.slice(0, STAT.indexOf(' 44'))]) {
    t.is(parseGuestTicks(Buffer.from(text), text.length), Number.NaN, text);
  }
});

test('guest-exits gives the time in the guest in seconds', async (t) => {
  const tree = {
    'cgroup.procs': '42\n',
    'proc/42/stat': STAT,
    'sys/module/kvm_intel/refcnt': '1\n',
  };
  await withFileTree(tree, (roots, folder) => {
    const source = fast(guestExits.open(targetOf(folder), roots));
    const row = new Float64Array(1);
    t.is(source.read(row), 'read');
    t.is(row[0], 0.43);
    source.close();
  });
});

test('guest-exits names a module that does not account it', async (t) => {
  await withFileTree({ 'sys/module/kvm_pvm/refcnt': '1\n' }, (roots, folder) => {
    t.deepEqual(guestExits.open(targetOf(folder), roots), {
      unavailable: 'with kvm_pvm the kernel does not account the time of guests',
    });
  });
});
