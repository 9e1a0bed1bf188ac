import test from 'ava';
import { alloc } from '../../../agent/procedures/alloc.ts';
import { compute } from '../../../agent/procedures/compute.ts';
import { read } from '../../../agent/procedures/read.ts';
import { unzip } from '../../../agent/procedures/unzip.ts';
import { warm } from '../../../agent/procedures/warm.ts';
import { openLoopbackStage } from './loopback-stage.ts';

test('a warm trial asks for the path, as often as it says, after one call of /hello', async (t) => {
  const stage = await openLoopbackStage(t);
  const asked: string[] = [];
  stage.answer = (path) => {
    asked.push(path);
    return { body: 'x'.repeat(asked.length < 4 ? 3 : 4) };
  };
  const parameters = { path: '/payload?bytes=3', calls: 4 };
  const { instances, measurements = [] } = await stage.run(warm, 1, parameters);
  t.deepEqual(asked, ['/hello', ...Array<string>(4).fill('/payload?bytes=3')]);
  t.is(instances[0]?.status, 'ok');
  const labels = measurements
    .filter(({ measure }) => measure === 'call.duration')
    .map((one) => one.labels);
  t.deepEqual(labels, [{ call: '1' }, { call: '2' }, { call: '3' }, { call: '4' }]);
  // The size is told when it is another one than before.
  const sizes = measurements.filter(({ measure }) => measure === 'call.response_size');
  t.deepEqual(
    sizes.map((one) => [one.labels?.call, one.value]),
    [
      ['1', 3],
      ['3', 4],
    ],
  );
});

test('the work alone is what the function says in its header', async (t) => {
  const stage = await openLoopbackStage(t);
  stage.answer = () => ({ body: '55\n', headers: { 'Lockstep-Duration-Ns': '1234' } });
  const { measurements = [] } = await stage.run(compute, 1, { n: 10, calls: 1, pauseMs: 0 });
  const alone = measurements.find(({ measure }) => measure === 'call.guest_duration');
  t.deepEqual(alone, {
    measure: 'call.guest_duration',
    value: 1234,
    instance: 0,
    labels: { call: '1', work: 'fib' },
  });
});

for (const [procedure, right] of [
  [compute, '55'],
  [alloc, '2048'],
  [read, '1'],
  [unzip, '7'],
] as const) {
  test(`${procedure.kind} knows a wrong answer of status 200`, async (t) => {
    const parameters = {
      ...(procedure.kind === 'compute' ? { n: 10 } : {}),
      ...(procedure.kind === 'alloc' ? { mib: 8 } : {}),
      ...{ calls: 2, pauseMs: 0 },
    };
    const stage = await openLoopbackStage(t);
    let calls = 0;
    stage.answer = (path) => {
      calls += path === '/hello' ? 0 : 1;
      return { body: calls < 2 ? right : 'Hello!' };
    };
    const { instances, measurements = [] } = await stage.run(procedure, 1, parameters);
    t.is(instances[0]?.failure?.code, 'FUNCTION_ANSWERED_WRONG');
    t.regex(instances[0]?.failure?.message ?? '', /'Hello!' instead of/);
    // What was measured before is kept.
    t.deepEqual([...new Set(measurements.map(({ labels }) => labels?.call))], ['1']);
    t.is(stage.removed, 1);
    t.is(stage.released, 1);
  });
}

test('a sandbox that fails does not end the calls of the others', async (t) => {
  const stage = await openLoopbackStage(t);
  stage.answer = (path, sandbox) => (path === '/x' && sandbox === 0 ? { status: 503 } : {});
  const { instances, measurements = [] } = await stage.run(warm, 2, { path: '/x', calls: 3 });
  t.deepEqual(
    instances.map(({ status }) => status),
    ['failed', 'ok'],
  );
  const calls = measurements.filter(({ measure }) => measure === 'call.duration');
  t.deepEqual(
    calls.map(({ instance }) => instance),
    [1, 1, 1],
  );
});

test('a sandbox that ends while it is asked is not waited for', async (t) => {
  const stage = await openLoopbackStage(t);
  stage.answer = (path) => {
    if (path === '/x')
      setImmediate(() => {
        stage.end(0);
      });
    return {};
  };
  const { instances } = await stage.run(warm, 1, { path: '/x', calls: 2000, pauseMs: 1 });
  t.is(instances[0]?.failure?.code, 'FUNCTION_CRASHED');
  t.is(instances[0]?.logTail, 'log of 0');
});

test('a pause ends when the trial is stood down', async (t) => {
  const stage = await openLoopbackStage(t);
  stage.answer = () => {
    setTimeout(() => {
      stage.abort.abort();
    }, 20);
    return {};
  };
  const { instances } = await stage.run(warm, 2, { calls: 1, pauseMs: 60_000 });
  t.deepEqual(
    instances.map(({ failure }) => failure?.code),
    ['CANCELLED', 'CANCELLED'],
  );
  t.is(stage.removed, 2);
});
