import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readEndpointsFile } from '../../../coordinator/relay/endpoints-file.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { EndpointSettings } from '../../../telemetry/endpoints/endpoint-settings.ts';

async function write(t: ExecutionContext, content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'endpoints-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'token'), 'Bearer from-file\n');
  const path = join(folder, 'endpoints.yaml');
  await writeFile(path, content);
  return path;
}

test('endpoints are read with all that they can have', async (t) => {
  const path = await write(
    t,
    `endpoints:
  - name: local
    url: http://127.0.0.1:4318/base
    headers: { a: "1", b: { env: B }, Authorization: { file: token } }
  - name: far
    protocol: grpc
    url: collector.example:4317
    compression: none
    timeoutMs: 500
    signals: [traces]
    tls: { ca: ca.pem, insecure: true }
  - name: metrics-only
    urls: { metrics: "https://m.example/opentelemetry/v1/metrics" }
`,
  );
  const all = await readEndpointsFile(path, { B: 'two' });
  t.deepEqual(all, EndpointSettings.array().parse(all));
  const [local, far, only] = all;
  t.is(local?.routes.traces?.url, 'http://127.0.0.1:4318/base/v1/traces');
  t.is(local?.routes.logs?.compression, 'gzip');
  const headers = { a: '1', b: 'two', authorization: 'Bearer from-file' };
  t.deepEqual(local?.routes.logs?.headers, headers);
  t.deepEqual(Object.keys(far!.routes), ['traces']);
  t.like(far?.routes.traces, { url: 'http://collector.example:4317', timeoutMs: 500 });
  t.is(far?.routes.traces?.tls.caFile, join(path, '../ca.pem'));
  t.is(only?.routes.metrics?.url, 'https://m.example/opentelemetry/v1/metrics');
  t.is(only?.routes.traces, undefined);
});

async function mistakesOf(t: ExecutionContext, content: string): Promise<string> {
  const path = await write(t, content);
  const error = await t.throwsAsync(readEndpointsFile(path, {}), { instanceOf: LockstepError });
  t.is(error.code, 'ENDPOINTS_INVALID');
  t.false(error.message.includes('hunter2'), error.message);
  return error.message.replaceAll(path, 'F');
}

test('all mistakes are told at once, with lines, and no secret', async (t) => {
  const shape = await mistakesOf(
    t,
    `endpoints:
  - name: a b
    url: http://a
    protcol: grpc
    timeoutMs: 0
    headers: { authorization: { text: hunter2 } }
`,
  );
  t.regex(shape, /^F has 4 mistakes:/);
  t.true(shape.includes('F:4:5: unknown key endpoints[0].protcol'), shape);
  t.true(shape.includes('Did you mean "protocol"?'), shape);
  for (const line of [2, 5, 6]) t.true(shape.includes(`F:${line}:`), shape);
  const meaning = await mistakesOf(
    t,
    `endpoints:
  - name: env
    url: ftp://user:hunter2@a
    headers: { x: { env: UNSET }, content-type: hunter2, y: { file: none } }
    tls: { cert: c.pem }
  - name: b
  - name: b
    url: http://b
`,
  );
  t.regex(meaning, /^F has [0-9]+ mistakes:/);
  for (const said of ['UNSET', 'content-type', 'F:5:', 'F:6:', 'F:7:', '"b" is taken', 'F:3:']) {
    t.true(meaning.includes(said), `${said} in ${meaning}`);
  }
  t.true(meaning.includes('"env" is taken'), meaning);
  t.regex(await mistakesOf(t, ''), /1 mistake:/);
});
