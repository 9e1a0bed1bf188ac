import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
// @ts-expect-error The package has no types.
import mock from '@elastic/mockotlpserver';
import test from 'ava';
import { SIGNALS } from '../../../telemetry/payload.ts';
import { NEVER, openBy, payloadOf } from './fake-endpoint.ts';

const MAIN = fileURLToPath(new URL('../../../coordinator/cli/main.ts', import.meta.url));

/** What is used of a package without types. */
interface MockServer {
  readonly httpUrl: URL;
  readonly grpcUrl: URL;
  start(): Promise<void>;
  close(): Promise<void>;
}
const { MockOtlpServer } = mock as {
  MockOtlpServer: new (options: object) => MockServer;
};

const seen: Record<string, unknown[]> = { traces: [], metrics: [], logs: [] };
// This server ends on bodies with gzip, so all is sent without compression here.
const server = new MockOtlpServer({
  logLevel: 'fatal',
  services: ['http', 'grpc'],
  ...{ httpHostname: '127.0.0.1', httpPort: 0, grpcHostname: '127.0.0.1', grpcPort: 0 },
  onTrace: (data: unknown) => seen['traces']!.push(data),
  onMetrics: (data: unknown) => seen['metrics']!.push(data),
  onLogs: (data: unknown) => seen['logs']!.push(data),
});

test.before(() => server.start());
test.after.always(() => server.close());

for (const protocol of ['http/protobuf', 'http/json', 'grpc']) {
  test.serial(`all three signals arrive at another implementation over ${protocol}`, async (t) => {
    const url = protocol === 'grpc' ? server.grpcUrl : server.httpUrl;
    const endpoint = openBy(t, { ENDPOINT: String(url), PROTOCOL: protocol });
    for (const signal of SIGNALS) {
      const before = seen[signal]!.length;
      const delivery = await endpoint.send(payloadOf(signal), NEVER);
      t.deepEqual(delivery, { outcome: 'accepted', rejected: 0 });
      // It reads what it got after it has answered.
      await new Promise((resolve) => setTimeout(resolve, 50));
      t.is(seen[signal]!.length, before + 1, signal);
      t.true(JSON.stringify(seen[signal]!.at(-1)).includes('lockstep-check'), signal);
    }
  });
}

test.serial('otel check tells of all three signals, and ends with 0', async (t) => {
  const words = ['otel', 'check', '--endpoint', String(server.httpUrl), '--json'];
  const child = spawn(process.execPath, [MAIN, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] },
    timeout: 20_000,
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  const said = JSON.parse(await text(child.stdout)) as {
    traceId: string;
    findings: { signal: string; delivery: unknown }[];
  };
  t.is(await closed, 0);
  t.deepEqual(
    said.findings.map(({ signal }) => signal),
    [...SIGNALS],
  );
  for (const { delivery } of said.findings) t.like(delivery, { outcome: 'accepted', rejected: 0 });
});
