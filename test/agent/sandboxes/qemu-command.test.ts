import test from 'ava';
import { fitsSocket, qemuCommand } from '../../../agent/sandboxes/qemu-command.ts';
import type { GuestOptions } from '../../../agent/sandboxes/qemu-command.ts';

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
