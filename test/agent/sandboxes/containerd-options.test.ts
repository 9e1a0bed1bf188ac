import test from 'ava';
import { containerdConfig, ctrRunOptions } from '../../../agent/sandboxes/containerd-options.ts';

test('ctrRunOptions joins the slot and the cgroup, with the limits', (t) => {
  const words = ctrRunOptions({
    id: 's0-containerd',
    cgroupsPath: '/lockstep/a/s0-containerd',
    network: '/proc/7/root/tmp/netns/0',
    limits: { memoryMib: 512, cpus: 1.5 },
    runtime: '/run/x/runc',
    fifoFolder: '/run/x/fifo',
  });
  const valueOf = (option: string): string | undefined => words[words.indexOf(option) + 1];
  t.is(valueOf('--with-ns'), 'network:/proc/7/root/tmp/netns/0');
  t.is(valueOf('--cgroup'), '/lockstep/a/s0-containerd');
  t.is(valueOf('--memory-limit'), '536870912');
  t.is(valueOf('--cpu-quota'), '150000');
  t.is(valueOf('--runc-binary'), '/run/x/runc');
  t.true(words.includes('--read-only'));
});

test('containerdConfig keeps everything in one folder, and has no port', (t) => {
  const text = containerdConfig('/run/x', '/run/x/containerd.sock');
  const paths = [...text.matchAll(/= "(\/[^"]*)"/g)].map(([, path]) => path!);
  t.is(paths.length, 4);
  t.true(paths.every((path) => path.startsWith('/run/x/')));
  t.notRegex(text, /tcp|:\d+/);
});
