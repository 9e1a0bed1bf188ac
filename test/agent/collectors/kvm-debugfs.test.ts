// Composed after virt/kvm/kvm_main.c of Linux 6.x: the kernel of this machine refuses these files.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test from 'ava';
import { kvm } from '../../../agent/collectors/kvm.ts';
import { debugfsUnavailable } from '../../../agent/collectors/kvm-debugfs.ts';
import type { SandboxTarget } from '../../../agent/collectors/collector.ts';
import { withFileTree } from './file-tree.ts';
import { line, slow } from './opened.ts';

const DEBUGFS = 'sys/kernel/debug/kvm';
const TREE = {
  'cgroup.procs': '77\n',
  [`${DEBUGFS}/exits`]: '900\n',
  [`${DEBUGFS}/76-11/exits`]: '1\n',
  [`${DEBUGFS}/77-12/exits`]: '421\n',
  [`${DEBUGFS}/77-12/halt_wait_ns`]: '1500000000\n',
  [`${DEBUGFS}/77-12/halt_wait_hist`]: '3\n',
  [`${DEBUGFS}/77-12/max_mmu_rmap_size`]: '4\n',
  [`${DEBUGFS}/77-12/pages_4k`]: '88\n',
  [`${DEBUGFS}/77-12/vcpu0/pid`]: '78\n',
};

function targetOf(processes: string): SandboxTarget {
  return {
    index: 0,
    id: 's0',
    cgroup: { mode: 'v2', processes },
    vmm: { vcpus: 1, vcpuThreadPrefix: 'fc_vcpu ' },
  };
}

test('kvm reads debugfs where the VMM can not be asked, and ends with the guest', async (t) => {
  await withFileTree(TREE, async (roots, folder) => {
    const guest = join(folder, DEBUGFS, '77-12');
    await chmod(join(guest, 'pages_4k'), 0o444);
    const source = slow(kvm.open(targetOf(folder), roots));
    const readings = await source.read();
    t.deepEqual(typeof readings === 'string' ? readings : readings.map(line).sort(), [
      'lockstep.kvm.count exits 421',
      'lockstep.kvm.level max_mmu_rmap_size 4',
      'lockstep.kvm.level pages_4k 88',
      'lockstep.kvm.time halt_wait_ns 1.5',
    ]);
    await rm(guest, { recursive: true });
    t.is(await source.read(), 'ended');
    await source.close();
  });
});

test('kvm is absent until the guest is there', async (t) => {
  await withFileTree({ ...TREE, 'cgroup.procs': '' }, async (roots, folder) => {
    const source = slow(kvm.open(targetOf(folder), roots));
    t.is(await source.read(), 'absent');
    await source.close();
  });
});

test('debugfsUnavailable says that debugfs is not mounted', async (t) => {
  await withFileTree({ 'sys/none': '' }, (roots) => {
    t.regex(debugfsUnavailable(roots)?.unavailable ?? '', /is not there$/);
    t.regex(debugfsUnavailable(roots)?.remedy ?? '', /^mount -t debugfs/);
  });
});

test('debugfsUnavailable is right about the kernel of this machine', async (t) => {
  if (process.getuid?.() !== 0) {
    t.log('skipped: mounting debugfs needs root');
    t.pass();
    return;
  }
  const tree = { 'sys/kernel/debug/none': '', 'sys/kernel/security/none': '' };
  await withFileTree(tree, async ({ proc, dev, sys }) => {
    await withMounts(join(sys, 'kernel'), (kernel) => {
      const seen = debugfsUnavailable({ proc, dev, sys: dirname(kernel) });
      const lockdown = readLockdown(join(kernel, 'security', 'lockdown'));
      t.log(lockdown, seen ?? 'readable');
      if (!existsSync(join(kernel, 'debug', 'kvm'))) t.regex(seen?.unavailable ?? '', /not there$/);
      else if (lockdown === 'none') t.is(seen, undefined);
      else t.true(seen?.unavailable.includes(`locked down (${lockdown})`));
    });
  });
});

/** Mounts debugfs and securityfs below a folder in a mount namespace of its own. */
async function withMounts(folder: string, use: (folder: string) => void): Promise<void> {
  const script =
    'mount -t debugfs none "$1/debug" && mount -t securityfs none "$1/security" && echo ready && ' +
    'exec sleep 60';
  const namespace = ['unshare', '--mount', '--propagation', 'private', '--'];
  const shell = ['/bin/sh', '-c', script, 'mounts', folder];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...namespace, ...shell], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    await Promise.race([once(child.stdout, 'data'), exited]);
    use(join('/proc', String(child.pid), 'root', folder));
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

function readLockdown(file: string): string {
  // A kernel that can't be locked down has no such file.
  if (!existsSync(file)) return 'none';
  return /\[(\w+)\]/.exec(readFileSync(file, 'latin1'))?.[1] ?? 'none';
}
