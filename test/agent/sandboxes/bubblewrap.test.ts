import test from 'ava';
import { bubblewrapCommand } from '../../../agent/sandboxes/bubblewrap.ts';
import { planSlot } from '../../../agent/sandboxes/network.ts';
import { misbehaving } from '../../../agent/selftest/misbehaving.ts';

test('bubblewrap gives the function its files, no rights and nobody above it', (t) => {
  const command = bubblewrapCommand({
    id: 's0',
    functionRoot: misbehaving('/files', 'never-ready'),
    limits: { memoryMib: 64, cpus: 1 },
    slot: planSlot(0, 'veth', '/netns'),
    readyPort: 3000,
  });
  const end = command.indexOf('--');
  const options = command.slice(0, end);
  t.deepEqual(command.slice(end + 1, end + 3), ['/function', 'never-ready']);
  t.is(options[options.indexOf('--ro-bind') + 1], '/files');
  for (const option of ['--unshare-pid', '--unshare-user', '--die-with-parent', '--as-pid-1']) {
    t.true(options.includes(option), option);
  }
  // The slot's network namespace is entered before; it must not get an empty one.
  t.false(
    options.some((option) => option.startsWith('--unshare-net') || option === '--unshare-all'),
  );
});
