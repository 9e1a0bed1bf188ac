import test from 'ava';
import type { ProcedureOf } from '../../../schemas/procedure.ts';
import type { SandboxName } from '../../../schemas/sandbox.ts';
import { figures, loadStage } from './load-stage.ts';

const PARAMETERS: ProcedureOf<'open-loop'> = {
  kind: 'open-loop',
  readyTimeoutMs: 10_000,
  path: '/hello',
  ratesPerSecond: [200, 1000],
  arrivals: 'poisson',
  connectionsMax: 64,
  durationMs: 1000,
};

for (const sandbox of ['process', 'runc'] satisfies SandboxName[]) {
  test.serial(`open-loop sends to ${sandbox} at the rates that were asked for`, async (t) => {
    const stage = await loadStage(t, sandbox);
    if (stage === undefined) return;
    const outcome = await stage.run(sandbox, PARAMETERS);
    t.log(outcome.conditions);
    t.is(outcome.instances[0]?.status, 'ok', outcome.instances[0]?.failure?.message);
    for (const rate of [200, 1000]) {
      const labels = { rate: String(rate) };
      const figure = (measure: Parameters<typeof figures>[1]) =>
        figures(outcome, measure, labels)[0] ?? Number.NaN;
      // Five standard deviations of a Poisson count.
      const spread = 5 * Math.sqrt(rate);
      const all = figure('load.requests') + figure('load.not_sent') + figure('load.failures');
      t.true(Math.abs(all - rate) < spread, `${all} requests at ${rate} per second`);
      t.is(figures(outcome, 'load.latency', labels).length, 5);
      t.true(figure('load.ceiling_request_rate') > 0);
      t.regex(outcome.conditions?.[`load-lateness-rate-${rate}`] ?? '', /sent too late by/);
    }
    t.deepEqual(outcome.leftovers, []);
    t.deepEqual(stage.generators(), []);
  });
}

test.serial('open-loop counts what it could not send as the connections are bounded', async (t) => {
  const stage = await loadStage(t, 'process');
  if (stage === undefined) return;
  const slow = { path: '/alloc?mib=64', connectionsMax: 1, ratesPerSecond: [500] };
  const outcome = await stage.run('process', { ...PARAMETERS, ...slow });
  t.true((figures(outcome, 'load.not_sent')[0] ?? 0) > 0);
  t.true((figures(outcome, 'load.requests')[0] ?? 0) > 0);
  t.deepEqual(outcome.leftovers, []);
});
