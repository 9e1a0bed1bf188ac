import { readFileSync } from 'node:fs';
import test from 'ava';
import { parseHardLimits, resetCommand } from '../../../agent/sandboxes/inheritance.ts';

test('parseHardLimits reads the limits of this process', (t) => {
  const limits = parseHardLimits(readFileSync('/proc/self/limits', 'utf8'));
  t.true((limits.get('Max open files') ?? 0) > 0);
  t.true(limits.size > 10);
});

test('parseHardLimits takes the hard column, with unlimited as infinity', (t) => {
  const limits = parseHardLimits(
    'Limit                     Soft Limit           Hard Limit           Units     \n' +
      'Max core file size        0                    unlimited            bytes     \n' +
      'Max open files            1024                 524288               files     \n' +
      'Max nice priority         0                    7                    \n',
  );
  t.deepEqual([...limits.values()], [Infinity, 524_288, 7]);
});

test('resetCommand gives the defaults to who may raise limits', (t) => {
  const hardLimits = new Map([['Max open files', 300]]);
  const words = resetCommand({ onlineCpus: '0-3', hardLimits, mayRaiseLimits: true });
  t.true(words.includes('--nofile=1024:4096'));
  t.true(words.includes('--stack=8388608:unlimited'));
  t.deepEqual(words.slice(0, 6), ['chrt', '--other', '0', 'taskset', '--cpu-list', '0-3']);
});

test('resetCommand stays below the own hard limits of who may not', (t) => {
  const hardLimits = new Map([['Max open files', 300]]);
  const words = resetCommand({ onlineCpus: '0', hardLimits, mayRaiseLimits: false });
  t.true(words.includes('--nofile=300:300'));
});
