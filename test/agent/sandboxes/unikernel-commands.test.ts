import test from 'ava';
import type { SandboxSpec } from '../../../agent/sandboxes/driver.ts';
import { planSlot } from '../../../agent/sandboxes/network.ts';
import { nanosManifest, netmask } from '../../../agent/sandboxes/nanos-image.ts';
import { nanosCommand } from '../../../agent/sandboxes/nanos.ts';
import { osvCommand, osvCommandLine } from '../../../agent/sandboxes/osv.ts';
import { umlCommand } from '../../../agent/sandboxes/uml.ts';

const SPEC: SandboxSpec = {
  id: 's2-any',
  limits: { memoryMib: 128, cpus: 1.5 },
  slot: planSlot(2, 'tap', '/run/netns'),
  readyPort: 3000,
  functionRoot: {
    digest: `sha256:${'0'.repeat(64)}`,
    folder: '/cache/roots/0',
    manifest: {
      protocol: 1,
      kind: 'function',
      name: 'study-go',
      architecture: 'x64',
      files: [
        { path: '/function', mode: 0o555, sizeBytes: 1, digest: `sha256:${'1'.repeat(64)}` },
        { path: '/data/stored.zip', mode: 0o444, sizeBytes: 1, digest: `sha256:${'2'.repeat(64)}` },
      ],
      entry: ['{root}/function'],
      staticBinary: true,
      toolchain: {},
    },
  },
};
const HOST = { architecture: 'x64', choice: { accelerator: 'tcg' } } as const;
const COMMAND = '/function --listen 10.77.0.10:8080 --ready http://10.77.0.9:3000/ready';

function wordAfter(command: string[], option: string): string | undefined {
  return command[command.indexOf(option) + 1];
}

test('netmask writes a prefix length as an address', (t) => {
  t.deepEqual([30, 24, 1, 32].map(netmask), [
    '255.255.255.252',
    '255.255.255.0',
    '128.0.0.0',
    '255.255.255.255',
  ]);
});

test('nanosManifest has the files, the command and the address of the slot', (t) => {
  const text = nanosManifest(SPEC);
  t.regex(text, /"function":\(contents:\(host:"\/cache\/roots\/0\/function"\)\)/);
  t.regex(
    text,
    /"data":\(children:\("stored\.zip":\(contents:\(host:"\/cache\/roots\/0\/data\/stored\.zip"/,
  );
  t.true(text.includes(`arguments:[${COMMAND.replaceAll(/\S+/g, '"$&"')}]`));
  t.true(text.includes('ipaddr:10.77.0.10 netmask:255.255.255.252 gateway:10.77.0.9'));
  t.is(text.split('(').length, text.split(')').length);
});

test('nanosManifest refuses a path that would end its string', (t) => {
  const functionRoot = { ...SPEC.functionRoot, folder: '/cache/"/0' };
  const error = t.throws(() => nanosManifest({ ...SPEC, functionRoot }));
  t.is((error as { code?: string }).code, 'IMAGE_INVALID');
});

test('nanosCommand starts the kernel by itself and lets the guest end QEMU', (t) => {
  const files = { kernel: '/images/kernel.img' };
  const plan = { files, diskFile: '/s/a,b.nanos', firmware: '/f/qboot.rom', processors: 2 };
  const command = nanosCommand(HOST, SPEC, plan);
  t.is(wordAfter(command, '-bios'), '/f/qboot.rom');
  t.is(wordAfter(command, '-kernel'), '/images/kernel.img');
  t.is(wordAfter(command, '-smp'), '2');
  t.regex(wordAfter(command, '-drive') ?? '', /file=\/s\/a,,b\.nanos$/);
  t.true(command.includes('isa-debug-exit'));
  t.true(command.some((word) => word.endsWith(`mac=${SPEC.slot.macAddress},romfile=`)));
});

test('osvCommand has a disk that the guest only reads, and tells the address', (t) => {
  const plan = { loader: '/images/loader.elf', diskFile: '/s/f.osv', processors: 1 };
  const command = osvCommand(HOST, SPEC, plan);
  t.regex(wordAfter(command, '-drive') ?? '', /readonly=on,file=\/s\/f\.osv$/);
  t.is(
    wordAfter(command, '-append'),
    `--rootfs=rofs --ip=eth0,10.77.0.10,255.255.255.252 --defaultgw=10.77.0.9 ${COMMAND}`,
  );
  t.true(command.includes(osvCommandLine(SPEC)));
});

test('umlCommand uses the tap of the slot, and hands the words of the function to init', (t) => {
  const command = umlCommand(SPEC, { folder: '/s/s2.uml', diskFile: '/s/s2.uml/root.ext4' });
  t.true(command.includes(`eth0=tuntap,t2,${SPEC.slot.macAddress}`));
  t.true(command.includes('mem=128M'));
  t.deepEqual(command.slice(command.indexOf('--') + 1), [
    '--guest-address',
    '10.77.0.10/30',
    ...COMMAND.split(' ').slice(1),
  ]);
});
