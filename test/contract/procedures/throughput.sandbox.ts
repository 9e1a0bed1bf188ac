import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { MeasureName, Measurement } from '../../../schemas/measurement.ts';
import type { ProcedureOf } from '../../../schemas/procedure.ts';
import type { SandboxName } from '../../../schemas/sandbox.ts';
import { figures, loadStage } from './load-stage.ts';
import type { Outcome } from './load-stage.ts';

function parameters(changes: Partial<ProcedureOf<'throughput'>>): ProcedureOf<'throughput'> {
  return {
    kind: 'throughput',
    readyTimeoutMs: 10_000,
    path: '/hello',
    connections: [1, 8, 64],
    durationMs: 500,
    stopAtFailure: true,
    ...changes,
  };
}

/** The one figure of a measure, of those labels. */
function only(outcome: Outcome, measure: MeasureName, labels: Measurement['labels']): number {
  const found = figures(outcome, measure, labels);
  return found.length === 1 ? (found[0] ?? Number.NaN) : Number.NaN;
}

function assertClean(t: ExecutionContext, outcome: Outcome): void {
  t.deepEqual(outcome.leftovers, []);
}

for (const sandbox of ['process', 'runc'] satisfies SandboxName[]) {
  test.serial(`throughput measures ${sandbox} up to 64 connections`, async (t) => {
    const stage = await loadStage(t, sandbox);
    if (stage === undefined) return;
    const outcome = await stage.run(sandbox, parameters({}));
    t.log(outcome.conditions);
    t.is(outcome.instances[0]?.status, 'ok', outcome.instances[0]?.failure?.message);
    for (const connections of ['1', '8', '64']) {
      const labels = { connections };
      const rate = only(outcome, 'load.request_rate', labels);
      const ceiling = only(outcome, 'load.ceiling_request_rate', labels);
      t.log(`${connections} connections: ${rate.toFixed(0)}/s, ceiling ${ceiling.toFixed(0)}/s`);
      t.true(rate > 0 && ceiling > 0);
      t.true(only(outcome, 'load.byte_rate', labels) > 0);
      t.true(only(outcome, 'load.requests', labels) >= Number(connections));
      t.is(only(outcome, 'load.failures', labels), 0);
      t.deepEqual(figures(outcome, 'load.not_sent', labels), []);
      const latencies = ['0.5', '0.9', '0.99', '0.999', '1'].map((quantile) =>
        only(outcome, 'load.latency', { ...labels, quantile }),
      );
      t.deepEqual(
        latencies,
        latencies.toSorted((a, b) => a - b),
      );
      t.true((latencies[0] ?? 0) > 0);
    }
    t.is(outcome.conditions?.['load-stopped'], undefined);
    assertClean(t, outcome);
    t.deepEqual(stage.generators(), []);
  });

  test.serial(`throughput counts a fixed number of requests in ${sandbox}`, async (t) => {
    const stage = await loadStage(t, sandbox);
    if (stage === undefined) return;
    const loads = { connections: [4], requests: 200, durationMs: 20_000 };
    const outcome = await stage.run(sandbox, parameters(loads));
    t.deepEqual(figures(outcome, 'load.requests'), [200]);
    assertClean(t, outcome);
  });

  test.serial(`throughput finds where the function in ${sandbox} fails`, async (t) => {
    const stage = await loadStage(t, sandbox);
    if (stage === undefined) return;
    // The function may open 4096 files, so some of these are never accepted.
    const loads = { connections: [8, 4500, 4600], durationMs: 300, readyTimeoutMs: 3000 };
    const outcome = await stage.run(sandbox, parameters(loads));
    t.log(outcome.conditions);
    t.is(outcome.instances[0]?.status, 'ok', outcome.instances[0]?.failure?.message);
    t.is(only(outcome, 'load.failures', { connections: '8' }), 0);
    t.true(only(outcome, 'load.failures', { connections: '4500' }) >= 4500 - 4096);
    t.deepEqual(figures(outcome, 'load.failures', { connections: '4600' }), []);
    t.is(outcome.conditions?.['load-stopped'], 'after 4500 connections: requests failed');
    t.regex(outcome.conditions?.['load-failures-connections-4500'] ?? '', /timeout/);
    assertClean(t, outcome);
  });

  test.serial(`throughput keeps what a function in ${sandbox} did that dies`, async (t) => {
    const stage = await loadStage(t, sandbox, { memoryMib: 96, cpus: 1 });
    if (stage === undefined) return;
    // More and more at once touch 8 MiB each, until the limit of memory ends the function.
    const loads = { path: '/alloc?mib=8', connections: [1, 64, 128], stopAtFailure: false };
    const outcome = await stage.run(sandbox, parameters(loads));
    t.log(outcome.conditions);
    t.is(only(outcome, 'load.failures', { connections: '1' }), 0);
    t.true(only(outcome, 'load.failures', { connections: '64' }) > 0);
    t.deepEqual(figures(outcome, 'load.failures', { connections: '128' }), []);
    t.is(outcome.conditions?.['load-stopped'], 'after 64 connections: the sandbox has ended');
    assertClean(t, outcome);
  });
}

test.serial('throughput that is stood down leaves no load generator', async (t) => {
  const stage = await loadStage(t, 'process');
  if (stage === undefined) return;
  const trialId = await stage.arm('process', parameters({ durationMs: 60_000, connections: [4] }));
  const started = stage.runner.call(
    'start',
    { trialId, targetMonoNs: process.hrtime.bigint() + 5_000_000n },
    60_000,
  );
  for (let left = 500; stage.generators().length < 2 && left > 0; left -= 1) await delay(20);
  t.true(stage.generators().length >= 2, 'the null server and a load');
  const reason = { code: 'CANCELLED', message: 'the test stands it down' } as const;
  const { leftovers } = await stage.runner.call('standDown', { trialId, reason }, 30_000);
  t.deepEqual(leftovers, []);
  const outcome = await started;
  t.is(outcome.instances[0]?.failure?.code, 'CANCELLED');
  t.deepEqual(stage.generators(), []);
});
