// The dashboards as they are shipped, asked of real databases that hold what a fleet exports.
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { stringify } from 'yaml';
import { prometheusName } from '../../../provisioning/observability/prometheus-name.ts';
import { HEALTH_METRICS } from '../../../schemas/health-metrics.ts';
import { SAMPLED_METRICS } from '../../../schemas/telemetry-names.ts';
import {
  GrafanaDashboard,
  panelQueries,
  variableQueries,
} from '../../support/grafana-dashboard.ts';
import type { PanelQuery } from '../../support/grafana-dashboard.ts';
import { CHECKOUT } from '../../support/nats-server.ts';
import {
  encodeHealth,
  encodeTrials,
  healthInstants,
  healthy,
} from '../../support/observed-fleet.ts';
import { promtool, startPrometheus, startVmAgent } from '../../support/prometheus.ts';
import type { QueriedSeries, QueryRange } from '../../support/prometheus-api.ts';
import { testServersFor } from '../../support/test-servers.ts';
import { startVictoriaMetrics } from '../../support/victoria-metrics.ts';

const FOLDER = join(CHECKOUT, 'provisioning/observability/grafana');
const DEADLINE_MS = 15_000;
const NOW = Date.now();

/** Two devices, three kinds of sandbox; a trial every 20 s in the last minutes. */
const TRIALS = ['process', 'runc', 'microvm'].flatMap((sandbox, i) =>
  ['pi-1', 'pi-2'].map((deviceId) => ({
    trialId: `t-${i}`,
    deviceId,
    sandbox,
    atUtcMs: NOW - 100_000 + i * 20_000,
  })),
);
const TELLERS = [
  { service: 'lockstep-agent', instance: 'pi-1' },
  { service: 'lockstep-agent', instance: 'pi-2' },
  { service: 'lockstep-coordinator', instance: 'coordinator' },
] as const;
const REQUESTS = [
  ...encodeTrials(TRIALS),
  ...TELLERS.map((who) => encodeHealth(who, healthInstants(NOW, 10), healthy)),
];

/** All of every variable, as Grafana fills it in. */
const VALUES = {
  __range: '30m',
  __rate_interval: '1m',
  device: '.*',
  run: '.*',
  trial: '.*',
  function: '.*',
  window: '1s',
};

async function readDashboards(): Promise<GrafanaDashboard[]> {
  const names = (await readdir(FOLDER)).toSorted();
  const texts = await Promise.all(names.map((name) => readFile(join(FOLDER, name), 'utf8')));
  return texts.map((text) => GrafanaDashboard.parse(JSON.parse(text)));
}

async function allQueries(): Promise<PanelQuery[]> {
  return (await readDashboards()).flatMap((dashboard) => panelQueries(dashboard, VALUES));
}

test('each panel has a query of a data source that is a variable, a unit and a description', async (t) => {
  const dashboards = await readDashboards();
  t.deepEqual(
    dashboards.map(({ uid, schemaVersion }) => [uid, schemaVersion]),
    [
      ['lockstep-device', 42],
      ['lockstep-fleet', 42],
      ['lockstep-run', 42],
      ['lockstep-sandboxes', 42],
    ],
  );
  for (const { title, panels, templating } of dashboards) {
    const names = templating.list.map(({ name }) => name);
    for (const panel of panels.filter(({ type }) => type !== 'row')) {
      const where = `${title}: ${panel.title}`;
      t.true((panel.targets ?? []).length > 0, where);
      t.true((panel.description ?? '').length > 0, where);
      for (const { datasource, expr = '', query = '' } of panel.targets ?? []) {
        t.is(datasource.uid, `\${${datasource.type}}`, where);
        t.true(names.includes(datasource.type), where);
        t.not(expr + query, '', where);
        if (datasource.type === 'prometheus') {
          t.regex(panel.fieldConfig?.defaults.unit ?? '', /^[a-zA-Z]+$/, where);
        }
        for (const [, name = ''] of `${expr}${query}`.matchAll(/\$(?!__)(\w+)/g)) {
          t.true(names.includes(name), `${where}: $${name}`);
        }
      }
    }
    t.is(new Set(panels.map(({ id }) => id)).size, panels.length, title);
  }
});

test('no two panels of a dashboard lie upon each other', async (t) => {
  for (const { title, panels } of await readDashboards()) {
    const taken = new Set<string>();
    for (const { gridPos } of panels) {
      t.true(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          t.false(taken.has(`${x} ${y}`), `${title}: column ${x}, line ${y}`);
          taken.add(`${x} ${y}`);
        }
      }
    }
  }
});

test('every metric is on a dashboard', async (t) => {
  const queries = (await allQueries()).map(({ query }) => query).join('\n');
  for (const [name, definition] of Object.entries({ ...SAMPLED_METRICS, ...HEALTH_METRICS })) {
    const shown = prometheusName(name, definition);
    t.regex(queries, new RegExp(`\\b${shown}\\b`), name);
  }
});

test('links of a panel open the trace of the trial', async (t) => {
  const urls = (await readDashboards())
    .flatMap(({ panels }) => panels.flatMap((panel) => panel.fieldConfig?.defaults.links ?? []))
    .map(({ url }) => url);
  t.true(urls.length > 10);
  for (const url of urls) {
    const panes = new URL(url, 'http://grafana.example').searchParams.get('panes') ?? '';
    const query = /"query":"(.*?)(?<!\\)"/.exec(panes)?.[1] ?? '';
    t.regex(query, /^\{ span\.lockstep\.trial\.id = \\"\$\{__[a-z.]+\.lockstep_trial_id\}\\" \}$/);
    t.notThrows(() => JSON.parse(panes) as unknown);
  }
});

test('promtool can parse every query', async (t) => {
  const servers = testServersFor(t, 'promtool');
  if (servers === undefined) return;
  const rules = (await allQueries()).map(({ query }, i) => ({ record: `query:${i}`, expr: query }));
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-rules-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'rules.yaml');
  await writeFile(file, stringify({ groups: [{ name: 'queries', rules }] }));
  t.regex(await promtool(servers.promtool, 'check', 'rules', file), /SUCCESS/);
});

interface Database {
  queryInstant(query: string, atUtcMs: number): Promise<QueriedSeries[]>;
  queryRange(query: string, range: QueryRange): Promise<QueriedSeries[]>;
}

/** The queries that come back without a number, or with a legend that has gaps. */
async function emptyQueries(database: Database): Promise<string[]> {
  const range = { fromUtcMs: NOW - 120_000, toUtcMs: NOW, stepMs: 500 };
  const wrong: string[] = [];
  for (const { where, query, isInstant, legendLabels } of await allQueries()) {
    const series = isInstant
      ? await database.queryInstant(query, NOW)
      : await database.queryRange(query, range);
    const hasNumber = series.some(({ points }) => points.some(([, value]) => !Number.isNaN(value)));
    if (!hasNumber) wrong.push(`${where}: nothing: ${query}`);
    for (const label of legendLabels) {
      const isGiven = series.every(({ labels }) => (labels[label] ?? '') !== '');
      if (!isGiven) wrong.push(`${where}: legend without ${label}: ${query}`);
    }
  }
  for (const dashboard of await readDashboards()) {
    for (const { where, selector, label } of variableQueries(dashboard, VALUES)) {
      const found = await database.queryInstant(
        `count by (${label}) (last_over_time(${selector}[30m]))`,
        NOW,
      );
      const isGiven = found.some(({ labels }) => (labels[label] ?? '') !== '');
      if (!isGiven) wrong.push(`${where}: no value of ${label} in ${selector}`);
    }
  }
  return wrong;
}

test('every query and every variable gives something from VictoriaMetrics', async (t) => {
  const servers = testServersFor(t, 'victoriaMetrics');
  if (servers === undefined) return;
  const server = await startVictoriaMetrics(t, servers.victoriaMetrics);
  for (const bytes of REQUESTS) await server.ingest(bytes);
  await server.flush();
  t.deepEqual(await emptyQueries(server), []);
});

test('every query and every variable gives something from Prometheus', async (t) => {
  const servers = testServersFor(t, 'prometheus', 'vmagent');
  if (servers === undefined) return;
  const server = await startPrometheus(t, servers.prometheus);
  const agent = await startVmAgent(t, servers.vmagent, server.remoteWriteUrl);
  for (const bytes of REQUESTS) await agent.ingest(bytes);
  // What was sent last has arrived when the coordinator's newest word has.
  const until = performance.now() + DEADLINE_MS;
  const newest = async (): Promise<QueriedSeries[]> =>
    server.queryInstant('count_over_time(lockstep_runs[11m]) == 41', NOW);
  while ((await newest()).length < 2 && performance.now() < until) await delay(100);
  t.deepEqual(await emptyQueries(server), []);
});

test('no query and no variable gives anything from a database without data', async (t) => {
  const servers = testServersFor(t, 'victoriaMetrics');
  if (servers === undefined) return;
  const server = await startVictoriaMetrics(t, servers.victoriaMetrics);
  const wrong = await emptyQueries(server);
  const queries = await allQueries();
  const variables = (await readDashboards()).flatMap((one) => variableQueries(one, VALUES));
  t.true(queries.length > 60 && variables.length > 5);
  t.is(wrong.length, queries.length + variables.length);
});
