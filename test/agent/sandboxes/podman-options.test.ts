import test from 'ava';
import { podmanFiles, podmanRun } from '../../../agent/sandboxes/podman-options.ts';

const OPTIONS = {
  id: 's0-podman',
  network: '/proc/7/root/tmp/netns/0',
  limits: { memoryMib: 512, cpus: 1.5 },
  limitsSwap: true,
  runtime: '/run/lockstep-daemon/runtimes/runc',
  idFile: '/run/lockstep-daemon/id-s0-podman',
};

function valueOf(words: readonly string[], option: string): string | undefined {
  return words[words.indexOf(option) + 1];
}

test('podmanRun gives the rights and limits of the other containers, in the slot', (t) => {
  const words = podmanRun(OPTIONS);
  t.is(valueOf(words, '--network'), 'ns:/proc/7/root/tmp/netns/0');
  t.is(valueOf(words, '--memory'), '536870912b');
  t.is(valueOf(words, '--memory-swap'), '536870912b');
  t.is(valueOf(words, '--cpu-quota'), '150000');
  t.is(valueOf(words, '--cpu-period'), '100000');
  t.is(valueOf(words, '--pids-limit'), '4096');
  t.is(valueOf(words, '--cap-drop'), 'all');
  t.true(words.includes('--read-only'));
});

test('podmanRun leaves swap alone where it cannot be limited', (t) => {
  t.false(podmanRun({ ...OPTIONS, limitsSwap: false }).includes('--memory-swap'));
});

test('podmanFiles keeps everything in one folder', (t) => {
  const texts = podmanFiles('/run/x').map(({ text }) => text);
  const paths = texts.flatMap((text) =>
    [...text.matchAll(/"(\/[^"]*)"/g)].map(([, path]) => path!),
  );
  t.is(paths.length, 7);
  t.true(paths.every((path) => path.startsWith('/run/x')));
});
