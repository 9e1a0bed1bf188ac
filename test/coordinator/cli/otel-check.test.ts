import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { decodeRequest } from '../../../telemetry/otlp/export-request.ts';

const MAIN = fileURLToPath(new URL('../../../coordinator/cli/main.ts', import.meta.url));

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function otelCheck(words: readonly string[], variables: Record<string, string> = {}) {
  const env = { PATH: process.env['PATH'], ...variables };
  const options = { env, timeout: 20_000 };
  return new Promise<Ended>((resolve) => {
    const line = [MAIN, 'otel', 'check', ...words];
    const child = execFile(process.execPath, line, options, (_, stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

/** Answers each signal as the test says. */
async function endpoint(t: ExecutionContext, statusOf: (path: string) => number) {
  const bodies = new Map<string, Buffer>();
  const headers: unknown[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    headers.push(request.headers['x-key']);
    void buffer(request).then((body) => {
      bodies.set(path, body);
      response.writeHead(statusOf(path)).end(statusOf(path) === 200 ? '' : 'wrong tenant');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies, headers };
}

test('otel check sends one trace without orphans, with the id that it tells', async (t) => {
  const { url, bodies, headers } = await endpoint(t, () => 200);
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' };
  const { exitCode, stdout } = await otelCheck([], variables);
  t.is(exitCode, 0);
  const [traceId = ''] = /\b[0-9a-f]{32}\b/.exec(stdout) ?? [];
  const request = decodeRequest('traces', gunzipSync(bodies.get('/v1/traces')!)) as unknown as {
    resourceSpans: {
      scopeSpans: { spans: { traceId: string; spanId: string; parentSpanId?: string }[] }[];
    }[];
  };
  const spans = request.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans[0]!.spans);
  t.deepEqual([...new Set(spans.map((span) => span.traceId))], [traceId]);
  const ids = new Set(spans.map(({ spanId }) => spanId));
  t.is(ids.size, spans.length);
  t.is(spans.filter(({ parentSpanId }) => parentSpanId === undefined).length, 1);
  t.true(spans.every(({ parentSpanId }) => parentSpanId === undefined || ids.has(parentSpanId)));
  const logs = JSON.stringify(decodeRequest('logs', gunzipSync(bodies.get('/v1/logs')!)));
  t.true(logs.includes(`"traceId":"${traceId}"`), logs);
  t.deepEqual(headers, [undefined, undefined, undefined]);
});

test('otel check ends with 1 if a signal is refused, and says which and why', async (t) => {
  const { url, headers } = await endpoint(t, (path) => (path === '/v1/logs' ? 400 : 200));
  const { exitCode, stdout } = await otelCheck(['--endpoint', url, '--header', 'x-key=k=v']);
  t.is(exitCode, 1);
  t.regex(stdout, /logs .* refused .* answered 400: wrong tenant/);
  t.regex(stdout, /traces .* accepted/);
  t.deepEqual(headers, ['k=v', 'k=v', 'k=v']);
});

test('otel check asks all endpoints of a file, and ends with 4 if one is not there', async (t) => {
  const { url } = await endpoint(t, () => 200);
  const folder = await mkdtemp(join(tmpdir(), 'otel-check-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'endpoints.yaml');
  const away = '{ name: away, url: "http://127.0.0.1:9", signals: [traces] }';
  await writeFile(path, `endpoints:\n  - { name: here, url: "${url}" }\n  - ${away}\n`);
  const { exitCode, stdout } = await otelCheck(['--file', path]);
  t.is(exitCode, 4, stdout);
  t.regex(stdout, /away +traces .* not now .* ECONNREFUSED/);
  t.is(stdout.match(/here .* accepted/g)?.length, 3);
});

test('otel check without an endpoint, or with contradictions, is wrong usage', async (t) => {
  const none = await otelCheck([]);
  t.is(none.exitCode, 2);
  t.regex(none.stderr, /OTEL_EXPORTER_OTLP_ENDPOINT/);
  t.is((await otelCheck(['--header', 'a=b'])).exitCode, 2);
  t.is((await otelCheck(['--endpoint', 'http://a', '--protocol', 'udp'])).exitCode, 2);
});
