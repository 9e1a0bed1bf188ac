// Each alert fires on its cause and is silent without it, as the real Prometheus evaluates it.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { CHECKOUT } from '../../support/nats-server.ts';
import { encodeHealth, healthInstants, healthy } from '../../support/observed-fleet.ts';
import type { HealthValue } from '../../support/observed-fleet.ts';
import { promtool, startPrometheus, startVmAgent } from '../../support/prometheus.ts';
import { testServersFor } from '../../support/test-servers.ts';

const FILE = join(CHECKOUT, 'provisioning/observability/prometheus/lockstep-alerts.yaml');
const DEADLINE_MS = 15_000;
const MINUTES = 31;
const NOW = Date.now();
const DEVICE = { service: 'lockstep-agent', instance: 'pi-1' } as const;
const COORDINATOR = { service: 'lockstep-coordinator', instance: 'coordinator' } as const;

const Rule = z.object({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.object({ severity: z.enum(['info', 'warning', 'critical']) }),
  annotations: z.object({ summary: z.string().min(20), remedy: z.string().min(20) }),
});
const Rules = z.object({ groups: z.array(z.object({ name: z.string(), rules: z.array(Rule) })) });
const Alerts = z.object({
  data: z.object({
    alerts: z.array(
      z.object({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
      }),
    ),
  }),
});

async function readRules(): Promise<z.output<typeof Rules>> {
  return Rules.parse(parse(await readFile(FILE, 'utf8')));
}

async function readAlerts(): Promise<z.output<typeof Rule>[]> {
  return (await readRules()).groups.flatMap(({ rules }) => rules);
}

/** Series as promtool's tests have them: a point every 15 s from 0. */
interface Input {
  readonly series: string;
  readonly values: string;
}

const AGENT_LABELS = 'device_id="pi-1", service_instance_id="pi-1"';
const health = (name: string, labels: string, values: string): Input => ({
  series: `${name}{${[labels].filter((one) => one !== '').join(', ')}}`,
  values,
});
const series = {
  lost: (values: string) => health('lockstep_devices', 'lockstep_state="lost"', values),
  throttled: (values: string) => health('lockstep_device_throttled', AGENT_LABELS, values),
  condition: (values: string) =>
    health(
      'lockstep_host_throttled',
      'device_id="pi-1", lockstep_condition="throttled", lockstep_since="now"',
      values,
    ),
  everSince: (values: string) =>
    health(
      'lockstep_host_throttled',
      'device_id="pi-1", lockstep_condition="throttled", lockstep_since="boot"',
      values,
    ),
  bound: (values: string) => health('lockstep_device_clock_bound_seconds', AGENT_LABELS, values),
  spool: (values: string) => health('lockstep_spool_size_bytes', AGENT_LABELS, values),
  items: (outcome: string, values: string) =>
    health(
      'lockstep_relay_items_total',
      `lockstep_endpoint="db", lockstep_outcome="${outcome}"`,
      values,
    ),
  behind: (values: string) => health('lockstep_relay_behind', 'lockstep_endpoint="db"', values),
  retries: (values: string) =>
    health('lockstep_relay_retries_total', 'lockstep_endpoint="db"', values),
  dropped: (values: string) =>
    health(
      'lockstep_telemetry_lost_total',
      'service_name="lockstep-agent", service_instance_id="pi-1", ' +
        'lockstep_telemetry_signal="metrics"',
      values,
    ),
} as const;

/** An alert with series that provoke it, and others close to these that must not. */
interface Case {
  readonly alert: string;
  readonly provoked: readonly Input[];
  readonly silent: readonly (readonly Input[])[];
  /** Labels of the alert beside its name and severity. */
  readonly labels: Readonly<Record<string, string>>;
}

const ALIVE = series.lost('0x160');
const CASES: readonly Case[] = [
  {
    alert: 'LockstepDeviceLost',
    provoked: [series.lost('0x100 1x60')],
    // Back before the minute is over.
    silent: [[series.lost('0x157 1 1 0')], [ALIVE]],
    labels: {},
  },
  {
    alert: 'LockstepDeviceThrottled',
    provoked: [ALIVE, series.throttled('0x120 1x40')],
    silent: [
      [ALIVE, series.throttled('0x10 1x10 0x140')],
      [ALIVE, series.condition('0x160'), series.everSince('1x160')],
    ],
    labels: { device_id: 'pi-1' },
  },
  {
    alert: 'LockstepDeviceThrottled',
    // Within a trial, whose samples are the last word for a while.
    provoked: [ALIVE, series.condition('_x110 0 1 0 _x40')],
    silent: [],
    labels: { device_id: 'pi-1' },
  },
  {
    alert: 'LockstepClockBoundWide',
    provoked: [ALIVE, series.bound('0.0004x120 0.02x40')],
    silent: [
      [ALIVE, series.bound('0.009x160')],
      [ALIVE, series.bound('0.0004x156 0.02x3')],
    ],
    labels: { device_id: 'pi-1' },
  },
  {
    alert: 'LockstepSpoolGrowing',
    provoked: [ALIVE, series.spool('0+100000x160')],
    silent: [
      // It fills during trials and empties after them; or it is large and shrinks; or it is small.
      [ALIVE, series.spool('0+3000000x19 '.repeat(8))],
      [ALIVE, series.spool('90000000-100000x160')],
      [ALIVE, series.spool('0+1000x160')],
    ],
    labels: { device_id: 'pi-1', service_instance_id: 'pi-1' },
  },
  {
    alert: 'LockstepRelayFailing',
    provoked: [ALIVE, series.items('refused', '0x120 50x40')],
    silent: [[ALIVE, series.items('accepted', '0+500x160'), series.items('refused', '7x160')]],
    labels: { lockstep_endpoint: 'db' },
  },
  {
    alert: 'LockstepRelayFailing',
    provoked: [ALIVE, series.behind('0x100 9x60'), series.retries('0x100 1+1x60')],
    // It repeats, but catches up in between.
    silent: [
      [ALIVE, series.behind('9x7 ' + '9x14 0 '.repeat(10)), series.retries('0+1x160')],
      [ALIVE, series.behind('9x160'), series.retries('4x160')],
    ],
    labels: { lockstep_endpoint: 'db' },
  },
  {
    alert: 'LockstepTelemetryLost',
    provoked: [ALIVE, series.dropped('0x130 20x30')],
    silent: [[ALIVE, series.dropped('20x160')]],
    labels: {
      service_name: 'lockstep-agent',
      service_instance_id: 'pi-1',
      lockstep_telemetry_signal: 'metrics',
    },
  },
  {
    alert: 'LockstepSilent',
    provoked: [series.lost('0x80')],
    silent: [[series.lost('0x120')]],
    labels: {},
  },
];

/** End of all series of the cases: 160 steps of 15 s. */
const EVALUATED_AT = '40m';

test('each alert says what is wrong and what to do, and promtool accepts the file', async (t) => {
  const alerts = await readAlerts();
  t.deepEqual(
    new Set(CASES.map(({ alert }) => alert)),
    new Set(alerts.map(({ alert }) => alert)),
    'every alert has a case',
  );
  const servers = testServersFor(t, 'promtool');
  if (servers === undefined) return;
  t.regex(await promtool(servers.promtool, 'check', 'rules', FILE), /SUCCESS/);
});

test('each alert fires on its cause and is silent close to it', async (t) => {
  const servers = testServersFor(t, 'promtool');
  if (servers === undefined) return;
  const alerts = await readAlerts();
  const severityOf = (name: string): string =>
    alerts.find(({ alert }) => alert === name)?.labels.severity ?? '';
  const one = (name: string, input: readonly Input[], expected: unknown[]): object => ({
    interval: '15s',
    input_series: input,
    alert_rule_test: [{ eval_time: EVALUATED_AT, alertname: name, exp_alerts: expected }],
  });
  const tests = CASES.flatMap(({ alert, provoked, silent, labels }) => {
    const fired = { exp_labels: { ...labels, severity: severityOf(alert) } };
    return [one(alert, provoked, [fired]), ...silent.map((input) => one(alert, input, []))];
  });
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-alerts-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  // The texts have a case of their own; promtool would want them here word for word.
  const rules = await readRules();
  for (const { rules: some } of rules.groups) {
    for (const rule of some) Reflect.deleteProperty(rule, 'annotations');
  }
  await writeFile(join(folder, 'rules.yaml'), stringify(rules));
  const file = join(folder, 'tests.yaml');
  const document = { rule_files: ['rules.yaml'], evaluation_interval: '15s', tests };
  await writeFile(file, stringify(document));
  t.regex(await promtool(servers.promtool, 'test', 'rules', file), /SUCCESS/);
});

/** The same fleet with everything wrong at once, for the last half of the time. */
const ill: HealthValue = (name, attributes, atUtcMs) => {
  const sinceMs = atUtcMs - (NOW - (MINUTES * 60_000) / 2);
  if (sinceMs < 0) return healthy(name, attributes, atUtcMs);
  if (name === 'lockstep.devices') return 1;
  if (name === 'lockstep.device.throttled') return 1;
  if (name === 'lockstep.device.clock.bound') return 0.03;
  if (name === 'lockstep.spool.size') return 2e6 + sinceMs * 100;
  if (name === 'lockstep.relay.items') return 10 + sinceMs;
  if (name === 'lockstep.telemetry.lost') return sinceMs;
  return healthy(name, attributes, atUtcMs);
};

test('Prometheus evaluates them on what agents export, and fills in their texts', async (t) => {
  const servers = testServersFor(t, 'prometheus', 'vmagent');
  if (servers === undefined) return;
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-alerts-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  const fired = async (value: HealthValue, sentinel: string): Promise<Map<string, string>> => {
    const server = await startPrometheus(t, servers.prometheus, {
      ruleFiles: [await withoutWaits(folder)],
      evaluateEveryMs: 200,
    });
    const agent = await startVmAgent(t, servers.vmagent, server.remoteWriteUrl);
    for (const who of [DEVICE, COORDINATOR]) {
      await agent.ingest(encodeHealth(who, healthInstants(NOW, MINUTES), value));
    }
    const until = performance.now() + DEADLINE_MS;
    const isThere = async (): Promise<boolean> => {
      const query = `count_over_time(${sentinel}[40m]) > ${MINUTES * 4}`;
      return (await server.queryInstant(query, NOW)).length > 0;
    };
    while (!(await isThere()) && performance.now() < until) await delay(50);
    // Two evaluations later what is there has been seen.
    await delay(500);
    const answer = await fetch(`${server.url}/api/v1/alerts`);
    const { alerts } = Alerts.parse(await answer.json()).data;
    await agent.stop();
    await server.stop();
    return new Map(
      alerts.map(({ labels, annotations }) => [
        labels['alertname'] ?? '',
        annotations['summary'] ?? '',
      ]),
    );
  };
  const [wrong, fine] = await Promise.all([
    fired(ill, 'lockstep_stream_messages'),
    fired(healthy, 'lockstep_stream_messages'),
  ]);
  t.deepEqual([...fine.keys()], []);
  const expected = new Set(CASES.map(({ alert }) => alert));
  // Nobody is silent here.
  expected.delete('LockstepSilent');
  t.deepEqual(new Set(wrong.keys()), expected);
  t.regex(wrong.get('LockstepClockBoundWide') ?? '', /clock of pi-1 is known to 30ms only/);
  t.regex(wrong.get('LockstepDeviceThrottled') ?? '', /slows pi-1 down/);
  t.regex(wrong.get('LockstepRelayFailing') ?? '', /endpoint metrics-db does not/);
});

/** The rules as they are, but firing at once: a test can't wait for minutes. */
async function withoutWaits(folder: string): Promise<string> {
  const file = join(folder, 'rules.yaml');
  const text = await readFile(FILE, 'utf8');
  await writeFile(file, text.replaceAll(/^ +(for|interval): \w+\n/gm, ''));
  return file;
}
