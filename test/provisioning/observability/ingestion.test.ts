// What real servers make of what agents export: names, labels, counts and values.
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import {
  prometheusLabel,
  prometheusName,
} from '../../../provisioning/observability/prometheus-name.ts';
import { HEALTH_METRICS } from '../../../schemas/health-metrics.ts';
import { SAMPLED_METRICS } from '../../../schemas/telemetry-names.ts';
import {
  encodeHealth,
  encodeTrials,
  healthInstants,
  healthy,
  sampledResources,
} from '../../support/observed-fleet.ts';
import { startPrometheus, startVmAgent } from '../../support/prometheus.ts';
import type { QueriedSeries } from '../../support/prometheus-api.ts';
import { testServersFor } from '../../support/test-servers.ts';
import { startVictoriaMetrics } from '../../support/victoria-metrics.ts';

const DEADLINE_MS = 15_000;
const NOW = Date.now();
const TRIAL = { trialId: 't-0001', deviceId: 'pi-1', sandbox: 'runc', atUtcMs: NOW - 60_000 };
const COORDINATOR = { service: 'lockstep-coordinator', instance: 'coordinator' } as const;
const AGENT = { service: 'lockstep-agent', instance: 'pi-1' } as const;

type Ask = (query: string) => Promise<QueriedSeries[]>;

/** First, last and number of the values of each series, by its name and labels. */
async function readSeries(ask: Ask): Promise<Map<string, number[]>> {
  const found = await ask('{lockstep_trial_id="t-0001"}[5m]');
  return new Map(
    found.map(({ labels: { __name__: name = '', ...labels }, points }) => {
      const values = points.map(([, value]) => value);
      return [keyOf(name, labels), [values.length, values[0] ?? NaN, values.at(-1) ?? NaN]];
    }),
  );
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return `${name}{${pairs.toSorted().join(',')}}`;
}

/** The same from what was sent. */
function sentSeries(): Map<string, number[]> {
  const sent = new Map<string, number[]>();
  for (const { attributes, series } of sampledResources(TRIAL)) {
    for (const one of series) {
      const labels = Object.entries({ ...attributes, ...one.attributes }).map(
        ([name, value]) => [prometheusLabel(name), value] as const,
      );
      const name = prometheusName(one.metric, SAMPLED_METRICS[one.metric]);
      const { values } = one;
      const figures = [values.length, values[0] ?? NaN, values.at(-1) ?? NaN];
      sent.set(keyOf(name, Object.fromEntries(labels)), figures);
    }
  }
  return sent;
}

async function namesOf(ask: Ask): Promise<string[]> {
  const found = await ask('count by (__name__) (last_over_time({service_name!=""}[5m]))');
  return found.map(({ labels }) => labels['__name__'] ?? '').toSorted();
}

function expectedNames(): string[] {
  const metrics = { ...SAMPLED_METRICS, ...HEALTH_METRICS };
  const names = Object.entries(metrics).map(([name, metric]) => prometheusName(name, metric));
  return names.toSorted();
}

const HEALTH = [AGENT, COORDINATOR].map((who) =>
  encodeHealth(who, healthInstants(NOW, 1), healthy),
);

test('VictoriaMetrics has every series under the name that the documents say, and each value', async (t) => {
  const servers = testServersFor(t, 'victoriaMetrics');
  if (servers === undefined) return;
  const server = await startVictoriaMetrics(t, servers.victoriaMetrics);
  for (const bytes of encodeTrials([TRIAL])) await server.ingest(gzipSync(bytes), true);
  for (const bytes of HEALTH) await server.ingest(bytes);
  await server.flush();
  const ask: Ask = (query) => server.queryInstant(query, NOW);
  t.deepEqual(await namesOf(ask), expectedNames());
  t.deepEqual(sorted(await readSeries(ask)), sorted(sentSeries()));
});

test('VictoriaMetrics keeps the names of OpenTelemetry unless it is told otherwise', async (t) => {
  const servers = testServersFor(t, 'victoriaMetrics');
  if (servers === undefined) return;
  const server = await startVictoriaMetrics(t, servers.victoriaMetrics, 'otlp');
  for (const bytes of encodeTrials([TRIAL])) await server.ingest(bytes);
  await server.flush();
  const [one] = await server.queryInstant('{__name__="container.cpu.time"}', NOW);
  t.is(one?.labels['lockstep.trial.id'], TRIAL.trialId);
});

test('Prometheus has the same by remote write through vmagent', async (t) => {
  const servers = testServersFor(t, 'prometheus', 'vmagent');
  if (servers === undefined) return;
  const server = await startPrometheus(t, servers.prometheus);
  const agent = await startVmAgent(t, servers.vmagent, server.remoteWriteUrl);
  for (const bytes of encodeTrials([TRIAL])) await agent.ingest(gzipSync(bytes), true);
  for (const bytes of HEALTH) await agent.ingest(bytes);
  const ask: Ask = (query) => server.queryInstant(query, NOW);
  const expected = { names: expectedNames(), series: sorted(sentSeries()) };
  const until = performance.now() + DEADLINE_MS;
  let found = { names: await namesOf(ask), series: sorted(await readSeries(ask)) };
  const isAllThere = (): boolean =>
    found.names.length >= expected.names.length && found.series.length >= expected.series.length;
  while (!isAllThere() && performance.now() < until) {
    await delay(100);
    found = { names: await namesOf(ask), series: sorted(await readSeries(ask)) };
  }
  t.deepEqual(found, expected);
});

function sorted(series: ReadonlyMap<string, number[]>): [string, number[]][] {
  return [...series].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
