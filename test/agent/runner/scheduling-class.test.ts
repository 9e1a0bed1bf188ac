import test from 'ava';
import {
  parseSchedulingClass,
  readSchedulingClass,
} from '../../../agent/runner/scheduling-class.ts';

/** A line of /proc/PID/stat; fields count from 1, as in proc(5). */
function statLine(name: string, fields: Record<number, number>): string {
  const values = Array.from({ length: 52 }, (_, index) =>
    String(fields[index + 1] ?? 7000 + index),
  );
  values[1] = `(${name})`;
  values[2] = 'S';
  return `${values.join(' ')}\n`;
}

test('parseSchedulingClass tells the nice value of a normal process', (t) => {
  t.is(parseSchedulingClass(statLine('node', { 19: -5, 40: 0, 41: 0 })), 'SCHED_OTHER -5');
  t.is(parseSchedulingClass(statLine('node', { 19: 19, 40: 0, 41: 3 })), 'SCHED_BATCH 19');
});

test('parseSchedulingClass tells the priority of a real-time process', (t) => {
  t.is(parseSchedulingClass(statLine('node', { 19: 0, 40: 50, 41: 1 })), 'SCHED_FIFO 50');
  t.is(parseSchedulingClass(statLine('node', { 19: 0, 40: 3, 41: 2 })), 'SCHED_RR 3');
});

test('parseSchedulingClass is not misled by spaces and parentheses in the name', (t) => {
  for (const name of ['a b', ') S 1 (', '((x) y) z)', 'tail )']) {
    t.is(parseSchedulingClass(statLine(name, { 19: 0, 40: 10, 41: 1 })), 'SCHED_FIFO 10', name);
  }
});

test('parseSchedulingClass gives the number of a policy that it does not know', (t) => {
  t.is(parseSchedulingClass(statLine('node', { 19: 2, 40: 0, 41: 7 })), 'policy 7 2');
});

test('readSchedulingClass reads the class of this process', (t) => {
  t.regex(readSchedulingClass(), /^SCHED_[A-Z]+ -?\d+$/);
  t.is(readSchedulingClass(process.pid), readSchedulingClass());
});

test('readSchedulingClass is unknown for a process that is not there', (t) => {
  t.is(readSchedulingClass(2 ** 30), 'unknown');
});
