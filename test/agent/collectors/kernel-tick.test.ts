import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { SYSTEM_ROOTS } from '../../../agent/collectors/collector.ts';
import { readKernelTick, tickLimit } from '../../../agent/collectors/kernel-tick.ts';
import { layOut } from './fixture-tree.ts';

const CONFIG = '# CONFIG_HZ_PERIODIC is not set\nCONFIG_HZ_300=y\nCONFIG_HZ=300\n';

test('readKernelTick reads the packed configuration, else that in /boot, else assumes', (t) => {
  const packed = layOut(t, new Map([['proc/config.gz', gzipSync(CONFIG)]]));
  t.deepEqual(readKernelTick(packed.roots, packed.folder), { hz: 300, isAssumed: false });

  const release = new Map([['proc/sys/kernel/osrelease', Buffer.from('6.1.0-x\n')]]);
  const plain = layOut(t, release);
  const boot = join(plain.folder, 'boot');
  mkdirSync(boot);
  writeFileSync(join(boot, 'config-6.1.0-x'), CONFIG);
  t.deepEqual(readKernelTick(plain.roots, boot), { hz: 300, isAssumed: false });

  for (const damaged of [Buffer.from('no gzip'), gzipSync('CONFIG_HZ_300=y\nCONFIG_HZ=0\n')]) {
    const none = layOut(t, new Map([['proc/config.gz', damaged]]));
    t.deepEqual(readKernelTick(none.roots, none.folder), { hz: 250, isAssumed: true });
  }
});

test('tickLimit is the tick of this kernel, and says whether it is assumed', (t) => {
  const { hz, isAssumed } = readKernelTick(SYSTEM_ROOTS);
  const limit = tickLimit(SYSTEM_ROOTS);
  t.is(limit.hz, hz);
  t.is(/assumed/.test(limit.reason), isAssumed);
});
