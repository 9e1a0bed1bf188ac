import test from 'ava';
import { qemuCommand } from '../../../agent/sandboxes/qemu-command.ts';
import type { GuestOptions } from '../../../agent/sandboxes/qemu-command.ts';
import { fitsSocket } from '../../../agent/sandboxes/qemu-words.ts';

const OPTIONS: GuestOptions = {
  architecture: 'x64',
  accelerator: 'tcg',
  kernelFile: '/k/vmlinux',
  initramfsFile: '/i.cpio',
  memoryMib: 512,
  processors: 2,
  init: ['/function', '--listen', '10.77.0.2:8080'],
  network: { interfaceName: 't3', macAddress: '02:4c:53:00:03:02' },
};

function wordAfter(command: string[], option: string): string | undefined {
  return command[command.indexOf(option) + 1];
}

test('qemuCommand hands the words of the function to init behind two hyphens', (t) => {
  const append = wordAfter(qemuCommand(OPTIONS), '-append');
  t.regex(append ?? '', / rdinit=\/function -- --listen 10\.77\.0\.2:8080$/);
});

test('qemuCommand tells the frequency of the clock only where it is translated', (t) => {
  t.regex(wordAfter(qemuCommand(OPTIONS), '-append') ?? '', /tsc_early_khz/);
  const kvm = qemuCommand({ ...OPTIONS, accelerator: 'kvm' });
  t.notRegex(wordAfter(kvm, '-append') ?? '', /tsc_early_khz/);
  t.is(wordAfter(kvm, '-cpu'), 'host');
});

test('qemuCommand uses the tap of the slot and runs no script for it', (t) => {
  const command = qemuCommand(OPTIONS);
  t.is(wordAfter(command, '-netdev'), 'tap,id=net0,ifname=t3,script=no,downscript=no');
  t.regex(wordAfter(command, '-device') ?? '', /mac=02:4c:53:00:03:02$/);
});

test('qemuCommand has a machine and a console for arm64', (t) => {
  const command = qemuCommand({ ...OPTIONS, architecture: 'arm64', accelerator: 'kvm' });
  t.is(command[0], 'qemu-system-aarch64');
  t.is(wordAfter(command, '-M'), 'virt,gic-version=host');
  t.regex(wordAfter(command, '-append') ?? '', /^console=ttyAMA0 /);
});

test('qemuCommand names the threads and listens only where it is told to', (t) => {
  const command = qemuCommand(OPTIONS);
  t.is(wordAfter(command, '-name'), 'lockstep,debug-threads=on');
  t.false(command.includes('-chardev') || command.includes('-mon'));
});

test('qemuCommand waits for nobody at its socket, whose path may have a comma', (t) => {
  const command = qemuCommand({ ...OPTIONS, accelerator: 'kvm', qmpSocket: '/a,b/s0.qmp' });
  t.is(wordAfter(command, '-chardev'), 'socket,id=qmp,path=/a,,b/s0.qmp,server=on,wait=off');
  t.is(wordAfter(command, '-mon'), 'chardev=qmp,mode=control');
});

test('fitsSocket counts bytes up to the limit of the kernel', (t) => {
  t.true(fitsSocket('x'.repeat(107)));
  t.false(fitsSocket('x'.repeat(108)));
  t.false(fitsSocket('ä'.repeat(54)));
});

test('qemuCommand tells a whole kernel where its devices are, in front of the two hyphens', (t) => {
  const { initramfsFile, ...rest } = OPTIONS;
  const command = qemuCommand({ ...rest, kernelForm: 'whole', diskFile: '/s/root.ext4' });
  t.is(wordAfter(command, '-M'), 'microvm,acpi=off,auto-kernel-cmdline=off');
  const [kernel = '', words] = (wordAfter(command, '-append') ?? '').split(' -- ');
  t.is(kernel.match(/virtio_mmio\.device=512@0x/g)?.length, 8);
  t.true(kernel.includes('virtio_mmio.device=512@0xfeb00e00:12'));
  t.regex(kernel, / root=\/dev\/vda rootfstype=ext4 rw init=\/function$/);
  t.is(words, '--listen 10.77.0.2:8080');
  t.false(command.includes('-initrd') || initramfsFile === undefined);
});

test('qemuCommand writes the memory of a guest to be saved, not that of a restored one', (t) => {
  const saving = { memoryFile: '/s/m', mode: 'write', controlSocket: '/s/c' } as const;
  const write = qemuCommand({ ...OPTIONS, saving });
  t.is(
    wordAfter(write, '-object'),
    'memory-backend-file,id=memory0,size=512M,mem-path=/s/m,share=on',
  );
  t.false(write.includes('-incoming'));
  const restored = qemuCommand({ ...OPTIONS, saving: { ...saving, mode: 'restore' } });
  t.regex(wordAfter(restored, '-object') ?? '', /share=off$/);
  t.is(wordAfter(restored, '-incoming'), 'defer');
  t.is(wordAfter(restored, '-M'), 'microvm,acpi=on,memory-backend=memory0');
});
