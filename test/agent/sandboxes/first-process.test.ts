import test from 'ava';
import { isFirst } from '../../../agent/sandboxes/first-process.ts';

test('the first process of a pid namespace of its own is known by its last id', (t) => {
  t.true(isFirst('Name:\tfunction\nNSpid:\t4711\t1\nNSpgid:\t4711\t1\n'));
  t.true(isFirst('NSpid:\t90\t12\t1\n'));
  t.false(isFirst('NSpid:\t1\n'), 'the first process of the namespace that looks');
  t.false(isFirst('NSpid:\t4712\t11\n'));
  t.false(isFirst('NSpid:\t4712\t2\nNSpgid:\t4711\t1\n'));
  t.false(isFirst(''));
});
