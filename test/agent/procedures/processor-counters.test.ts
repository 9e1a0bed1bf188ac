import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import {
  ProcessorCounters,
  parseCounters,
  tryCounters,
} from '../../../agent/procedures/processor-counters.ts';
import { rejection } from '../../support/rejection.ts';

// Not every machine counts instructions, but every kernel counts what it does itself; the way
// through perf is the same.
const SOFTWARE = ['task-clock', 'context-switches'] as const;

test('parseCounters reads counts, and leaves out what was not counted', (t) => {
  const text = [
    'Events enabled',
    '123456,,instructions:u,1000,100.00,,',
    '<not supported>,,cycles,0,100.00,,',
    '<not counted>,,branches,0,0.00,,',
    '',
  ].join('\n');
  t.deepEqual(parseCounters(text), [{ event: 'instructions', value: 123_456 }]);
});

test('parseCounters adds the kinds of core, and knows a true zero', (t) => {
  const text = [
    '     1.000200,10,,cpu_core/instructions/,5,50.00,,',
    '     1.000200,5,,cpu_atom/instructions/u,5,50.00,,',
    '     2.000300,<not counted>,,cpu_core/instructions/,0,100.00,,',
  ].join('\n');
  t.deepEqual(parseCounters(text, true), [
    { event: 'instructions', interval: 1, value: 15 },
    { event: 'instructions', interval: 2, value: 0 },
  ]);
});

test('ProcessorCounters counts a process and what it starts, from the beginning on', async (t) => {
  const reason = await tryCounters(SOFTWARE);
  if (reason !== undefined) {
    t.log(`skipped: ${reason}`);
    t.pass();
    return;
  }
  const script = 'read line; for i in 1 2 3; do sleep 0.01; done; echo done; read line';
  const child = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
  t.teardown(() => child.kill('SIGKILL'));
  const processIds = [child.pid ?? 0];
  const counters = await ProcessorCounters.begin({ processIds, events: SOFTWARE });
  child.stdin.write('go\n');
  await once(child.stdout, 'data');
  const readings = await counters.end();
  t.deepEqual(
    readings.map(({ event }) => event),
    [...SOFTWARE],
  );
  // At least one for each sleep, which is another process.
  t.true((readings[1]?.value ?? 0) >= 3, JSON.stringify(readings));
  await counters.stop();
});

test('ProcessorCounters says why it can not count', async (t) => {
  const error = await rejection(
    ProcessorCounters.begin({ processIds: [2 ** 22 + 1], events: SOFTWARE }),
  );
  t.is(error.code, 'TOOL_MISSING');
});

test('tryCounters names what is not counted', async (t) => {
  t.regex((await tryCounters(['no-such-event'])) ?? '', /no-such-event|perf/);
});
