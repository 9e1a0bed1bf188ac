import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { ensureStream, TELEMETRY } from '../../bus/streams.ts';
import { Relay } from '../../coordinator/relay/relay.ts';
import { issueCredentials, writeCredentials } from '../../provisioning/nats/credentials.ts';
import { openEndpoint } from '../../telemetry/endpoints/open-endpoint.ts';
import { startTestBus } from '../support/nats-server.ts';
import type { Teardown, TestBus } from '../support/nats-server.ts';
import { findTestServer } from '../support/test-servers.ts';
import { startVictoriaMetrics } from '../support/victoria-metrics.ts';
import type { Benchmark, BenchmarkContext, BenchmarkValue } from './benchmark.ts';
import { interruptible } from './interruptible.ts';

const POINTS_FULL = 1_000_000;
const POINTS_QUICK = 200_000;
const DEADLINE_MS = 300_000;
const USER = 'd1';

const COLUMNS = [
  ...['endpoint', 'points', 'stored', 'repeatedPayloads', 'payloads', 'bytesPerPoint'],
  ...['spoolMs', 'pathMs', 'pathPointsPerSecond', 'totalPointsPerSecond'],
];

const NOTES = [
  'spool: encode, compress and write all points on the device. path: from the first payload that ' +
    'leaves the spool until the endpoint has the last. total: both, one after the other.',
  'Device, nats-server, relay and endpoint are processes of their own on this machine.',
  'stored: points that the endpoint counts itself. repeatedPayloads: accepted more than once.',
];

/** Where points end, and how many it says that it has. */
interface Endpoint {
  readonly name: string;
  readonly url: string;
  count(): Promise<{ points: number; duplicates?: number }>;
}

/** What the way of telemetry carries, from the spool of a device into an endpoint. */
export const relayBenchmark: Benchmark = {
  name: 'relay',
  description: 'How fast do points get from the spool of a device through NATS into an endpoint?',
  async run(context) {
    const rows: BenchmarkValue[][] = [];
    const notes = [...NOTES];
    await interruptible(async (signal) => {
      for (const open of [openCounting, openVictoriaMetrics]) {
        signal.throwIfAborted();
        await using cleanUp = new AsyncDisposableStack();
        const teardown = (undo: () => Promise<void>): void => {
          cleanUp.defer(undo);
        };
        const endpoint = await open({ teardown });
        if (typeof endpoint === 'string') notes.push(endpoint);
        else rows.push(await measure(endpoint, { teardown }, { ...context, signal }));
      }
    });
    return { columns: COLUMNS, rows, notes };
  },
};

async function openCounting(t: Teardown): Promise<Endpoint> {
  const child = startChild(t, 'counting-endpoint.ts', []);
  const url = `http://127.0.0.1:${await firstLine(child)}`;
  return {
    name: 'counting',
    url: `${url}/v1/metrics`,
    count: async () => (await (await fetch(url)).json()) as { points: number; duplicates: number },
  };
}

async function openVictoriaMetrics(t: Teardown): Promise<Endpoint | string> {
  const program = findTestServer('victoriaMetrics');
  if (program === undefined) return 'No VictoriaMetrics: npm run setup -- --for-tests adds it.';
  const server = await startVictoriaMetrics(t, program);
  return {
    name: 'VictoriaMetrics',
    url: server.otlpUrl,
    count: async () => {
      await server.flush();
      const query = `sum(count_over_time({host_name="${USER}"}[1h]))`;
      const [series] = await server.queryInstant(query, Date.now() + 60_000);
      return { points: series?.points[0]?.[1] ?? 0 };
    },
  };
}

async function measure(
  endpoint: Endpoint,
  t: Teardown,
  { full, log, signal }: BenchmarkContext & { signal: AbortSignal },
): Promise<BenchmarkValue[]> {
  const server = await startTestBus(t);
  const bus = await server.connect({ role: 'coordinator', user: 'coordinator' });
  await ensureStream(bus, TELEMETRY);
  const route = { protocol: 'http/protobuf', compression: 'gzip', headers: {}, tls: {} } as const;
  const metrics = { ...route, url: endpoint.url, timeoutMs: DEADLINE_MS };
  const destination = openEndpoint({ name: endpoint.name, routes: { metrics } });
  const logger = pino({ level: 'warn' }, process.stderr);
  const relay = await Relay.start({ bus, endpoints: [destination], logger });
  t.teardown(() => relay.stop());
  log(`${endpoint.name}: filling the spool`);
  const agent = await startAgent(t, server, full ? POINTS_FULL : POINTS_QUICK);
  const filled = JSON.parse(await firstLine(agent)) as Record<string, number>;
  const { pendingItems = 0, pendingFiles = 0, pendingBytes = 0, spoolMs = 0 } = filled;
  log(`${endpoint.name}: sending ${pendingFiles} payloads`);
  const beganAtMs = performance.now();
  agent.stdin?.write('go\n');
  while ((relay.health[0]?.acceptedPayloads ?? 0) < pendingFiles) {
    signal.throwIfAborted();
    if (performance.now() - beganAtMs > DEADLINE_MS) throw new Error('it takes too long');
    await delay(2);
  }
  const pathMs = performance.now() - beganAtMs;
  const { points, duplicates } = await endpoint.count();
  return [
    ...[endpoint.name, pendingItems, points, duplicates, relay.health[0]?.acceptedPayloads],
    ...[pendingBytes / pendingItems, spoolMs, pathMs],
    ...[pathMs, spoolMs + pathMs].map((ms) => Math.round((points / ms) * 1000)),
  ];
}

async function startAgent(t: Teardown, server: TestBus, points: number): Promise<ChildProcess> {
  const credentials = join(server.folder, `${USER}.creds`);
  const issued = issueCredentials(server.trust, { role: 'device', user: USER });
  await writeCredentials(credentials, issued);
  const folder = join(server.folder, 'spool');
  return startChild(t, 'agent.ts', [server.url, credentials, folder, USER, String(points)]);
}

function startChild(t: Teardown, program: string, words: readonly string[]): ChildProcess {
  const path = join(import.meta.dirname, 'relay', program);
  const child = spawn(process.execPath, [path, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  return child;
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of stdout?.setEncoding('utf8') ?? []) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return text.trim();
}
