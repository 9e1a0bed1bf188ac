import test from 'ava';
import { OutputWatcher } from '../../../agent/sandboxes/output-watcher.ts';
import type { Phase } from '../../../schemas/result.ts';

function watcher(): { seen: [Phase, bigint][]; watcher: OutputWatcher } {
  const seen: [Phase, bigint][] = [];
  return { seen, watcher: new OutputWatcher((phase, at) => seen.push([phase, at])) };
}

test('OutputWatcher stamps a marker with the chunk that completes its line', (t) => {
  const { seen, watcher: one } = watcher();
  one.push('stdout', Buffer.from('lockstep:g'), 1n);
  one.push('stdout', Buffer.from('uest'), 2n);
  t.deepEqual(seen, []);
  one.push('stdout', Buffer.from('\r\nlockstep:main\n'), 3n);
  t.deepEqual(seen, [
    ['guestEntry', 3n],
    ['appMain', 3n],
  ]);
});

test('OutputWatcher reports each phase once', (t) => {
  const { seen, watcher: one } = watcher();
  one.push('stdout', Buffer.from('lockstep:main\nlockstep:main\n'), 1n);
  one.push('stderr', Buffer.from('lockstep:main\n'), 2n);
  t.deepEqual(seen, [['appMain', 1n]]);
});

test('OutputWatcher keeps the lines of two streams apart', (t) => {
  const { seen, watcher: one } = watcher();
  one.push('stdout', Buffer.from('lockstep:'), 1n);
  one.push('stderr', Buffer.from('noise\n'), 2n);
  one.push('stdout', Buffer.from('main\n'), 3n);
  t.deepEqual(seen, [['appMain', 3n]]);
});

test('OutputWatcher does not take a longer word for a marker', (t) => {
  const { seen, watcher: one } = watcher();
  one.push('stdout', Buffer.from('lockstep:mainly\nlockstep:main is near\n'), 1n);
  t.deepEqual(seen, []);
});

test('OutputWatcher finds a marker behind a very long line', (t) => {
  const { seen, watcher: one } = watcher();
  one.push('stdout', Buffer.alloc(1_000_000, 'x'), 1n);
  one.push('stdout', Buffer.from('\nlockstep:main\n'), 2n);
  t.deepEqual(seen, [['appMain', 2n]]);
});

test('OutputWatcher keeps the last 16 KiB, in few or many chunks', (t) => {
  const { watcher: few } = watcher();
  few.push('stdout', Buffer.from(`${'a'.repeat(40_000)}end`), 1n);
  t.is(few.tail().length, 16_384);
  t.true(few.tail().endsWith('aend'));
  const { watcher: many } = watcher();
  for (let index = 0; index < 10_000; index += 1)
    many.push('stderr', Buffer.from(`${index}\n`), 1n);
  t.is(many.tail().length, 16_384);
  t.true(many.tail().endsWith('9998\n9999\n'));
});

test('OutputWatcher tail of bytes that are no text is at most 16384 characters', (t) => {
  const { watcher: one } = watcher();
  one.push('stdout', Buffer.alloc(50_000, 0xff), 1n);
  t.is(one.tail().length, 16_384);
});
