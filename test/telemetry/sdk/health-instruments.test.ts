import test from 'ava';
import { setTimeout as delay } from 'node:timers/promises';
import { observeAgent } from '../../../agent/telemetry/agent-health.ts';
import { observeCoordinator } from '../../../coordinator/telemetry/coordinator-health.ts';
import { HEALTH_METRICS } from '../../../schemas/health-metrics.ts';
import type { HealthMetric } from '../../../schemas/health-metrics.ts';
import { observeHealth } from '../../../telemetry/sdk/health-instruments.ts';
import { watchEventLoop } from '../../../telemetry/sdk/process-health.ts';
import { until } from '../../support/until.ts';
import { startTelemetry } from '../../../telemetry/sdk/set-up.ts';
import type { Telemetry } from '../../../telemetry/sdk/telemetry.ts';
import { CollectingSink } from './collecting-sink.ts';
import type { DecodedPoint } from './collecting-sink.ts';

async function collect(register: (telemetry: Telemetry) => void): Promise<DecodedPoint[]> {
  const sink = new CollectingSink();
  const telemetry = await startTelemetry({
    service: 'lockstep-agent',
    resource: {},
    sink,
    environment: {},
  });
  register(telemetry);
  await telemetry.shutdown();
  return sink.points();
}

const lost = () => ({ traces: 1, metrics: 0, logs: 2 });

test('observeAgent and observeCoordinator tell every health metric as it is defined', async (t) => {
  const eventLoop = watchEventLoop(1);
  t.teardown(() => {
    eventLoop.stop();
  });
  await delay(10);
  const agent = await collect(({ meter }) => {
    observeAgent(
      meter,
      {
        spool: () => ({ pendingBytes: 10, pendingFiles: 2 }),
        lost,
        outboxPending: () => 4,
        clockBoundNs: () => 1_500_000n,
        state: () => 'busy',
        trials: () => ({ ok: 7, failed: 1 }),
        isThrottled: () => true,
      },
      eventLoop,
    );
  });
  await delay(10);
  const endpoint = { endpoint: 'tempo', accepted: 5, rejected: 1, refused: 2, missed: 3 };
  const coordinator = await collect(({ meter }) => {
    observeCoordinator(
      meter,
      {
        lost,
        devices: () => ({ idle: 2, lost: 1 }),
        runs: () => ({ queued: 1, going: 1 }),
        results: () => ({ ok: 9, failed: 0 }),
        relay: () => [{ ...endpoint, retries: 4, behind: 6 }],
        streams: () => Promise.resolve([{ stream: 'S', bytes: 100, messages: 3 }]),
      },
      eventLoop,
    );
  });
  const points = [...agent, ...coordinator];
  t.deepEqual(
    [...new Set(points.map(({ metric }) => metric))].toSorted(),
    Object.keys(HEALTH_METRICS).toSorted(),
  );
  for (const { metric, unit, isMonotonic, attributes } of points) {
    const definition = HEALTH_METRICS[metric as HealthMetric];
    t.is(unit, definition.unit, metric);
    t.is(isMonotonic, definition.kind === 'counter', metric);
    t.deepEqual(Object.keys(attributes).toSorted(), [...definition.attributes].toSorted(), metric);
  }
  const valueOf = (metric: string, attribute: string | undefined) =>
    points.find(
      (point) =>
        point.metric === metric &&
        (attribute === undefined || Object.values(point.attributes).includes(attribute)),
    )?.value;
  t.is(valueOf('lockstep.device.clock.bound', undefined), 0.0015);
  t.is(valueOf('lockstep.device.state', 'busy'), 1);
  t.is(valueOf('lockstep.device.state', 'idle'), 0);
  t.is(valueOf('lockstep.device.throttled', undefined), 1);
  t.is(valueOf('lockstep.relay.items', 'missed'), 3);
  t.is(valueOf('lockstep.relay.behind', 'tempo'), 6);
  t.is(valueOf('lockstep.devices', 'lost'), 1);
  t.true(valueOf('process.memory.usage', undefined)! > 1e6);
});

test('observeHealth: a getter that fails, or has nothing, leaves only itself out', async (t) => {
  const points = await collect(({ meter }) => {
    observeHealth(meter, {
      'lockstep.spool.size': () => {
        throw new Error('the disk is gone');
      },
      'lockstep.device.clock.bound': () => [],
      'lockstep.outbox.pending': () => [{ value: 1 }],
    });
  });
  t.deepEqual(
    points.map(({ metric }) => metric),
    ['lockstep.outbox.pending'],
  );
});

test('watchEventLoop sees a loop that stood still', async (t) => {
  const watch = watchEventLoop(5);
  t.is(watch.take(), undefined);
  const untilMs = performance.now() + 60;
  while (performance.now() < untilMs);
  let delayed = watch.take();
  await until(() => (delayed ??= watch.take()) !== undefined, 'a look at the loop');
  watch.stop();
  const { meanS, maxS } = delayed!;
  t.true(maxS >= 0.05);
  t.true(meanS > 0 && meanS <= maxS);
});
