import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { connect, createServer as createPlainServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { ProcedureContext } from '../../../agent/procedures/procedure.ts';
import { procedureOf } from '../../../agent/procedures/registry.ts';
import { ReadyListener } from '../../../agent/runner/ready-listener.ts';
import type { Sandbox, SandboxDriver } from '../../../agent/sandboxes/driver.ts';
import { FUNCTION_PORT } from '../../../agent/sandboxes/function-root.ts';
import type { Slot, SlotPool } from '../../../agent/sandboxes/network.ts';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import type { LockstepError } from '../../../schemas/errors.ts';
import type { Measurement } from '../../../schemas/measurement.ts';
import { Procedure } from '../../../schemas/procedure.ts';

// Functions, listener, load generator and null server are real, on loopback addresses in place of
// slots. Only the sandbox around a function is left out.

const CHECKOUT = join(import.meta.dirname, '../../..');
const CACHE = process.env['LOCKSTEP_CACHE'] ?? join(CHECKOUT, '.lockstep/cache');
const CELL = { id: 'cell', sandbox: 'process', function: 'hello-go', instances: 2 } as const;

let slotsGiven = 0;

function loopbackSlot(index: number): Slot {
  slotsGiven += 1;
  const address = `127.${50 + (process.pid % 50)}.${(process.pid >> 8) & 0xff}.${slotsGiven}`;
  const fixed = { kind: 'veth', prefixLength: 30, interfaceName: 'lo', macAddress: '' } as const;
  return { ...fixed, index, address, gatewayAddress: '127.0.0.1' };
}

interface Stage {
  readonly context: ProcedureContext;
  readonly slots: { taken: number };
}

async function stage(
  t: ExecutionContext,
  parameters: Record<string, unknown>,
  answer: RequestListener,
): Promise<Stage | undefined> {
  const cache = new ArtefactCache(CACHE);
  const digest = (await cache.names())['load-generator'];
  if (digest === undefined) {
    t.log('skipped: the load generator is not built; npm run setup');
    t.pass();
    return undefined;
  }
  const plain = createPlainServer().listen(0);
  await once(plain, 'listening');
  const { port } = plain.address() as AddressInfo;
  plain.close();
  await once(plain, 'close');
  const ready = await ReadyListener.open(port);
  t.teardown(() => ready.close());
  const driver = {
    name: 'process',
    slotKind: 'veth',
    create: async (_context, { slot }): Promise<Sandbox> => {
      const server = createServer(answer).listen(FUNCTION_PORT, slot.address);
      await once(server, 'listening');
      return {
        target: () => ({ id: slot.address, cgroup: { mode: 'none' } }),
        onBeforeRemoval: () => undefined,
        start: () => {
          connect({ host: '127.0.0.1', port, localAddress: slot.address }).end();
          return process.hrtime.bigint();
        },
        readUsage: () => ({}),
        logTail: () => '',
        remove: () => {
          server.close();
          server.closeAllConnections();
          return Promise.resolve({ leftovers: [] });
        },
      } as Partial<Sandbox> as Sandbox;
    },
  } as Partial<SandboxDriver> as SandboxDriver;
  const slots = { taken: 0 };
  const pool = {
    acquire: (_kind: string, count: number) => {
      slots.taken += count;
      return Promise.resolve(Array.from({ length: count }, (_, index) => loopbackSlot(index)));
    },
    release: (back: readonly Slot[]) => {
      slots.taken -= back.length;
    },
  } as Partial<SlotPool> as SlotPool;
  const context = {
    driver,
    slots: pool,
    ready,
    readyTimeoutMs: 2000,
    parameters: Procedure.parse(parameters),
    seed: 3,
    limits: { memoryMib: 64, cpus: 1 },
    tools: { 'load-generator': await cache.assemble(digest) },
    signal: new AbortController().signal,
  } as Partial<ProcedureContext> as ProcedureContext;
  return { context, slots };
}

async function run({ context }: Stage) {
  const armed = await procedureOf(context.parameters.kind).arm(context, CELL);
  return armed.start(process.hrtime.bigint());
}

function figure(
  measurements: readonly Measurement[] | undefined,
  name: string,
  label: string,
): number | undefined {
  return measurements?.find(
    ({ measure, labels }) =>
      measure === name && labels?.connections === label && labels.quantile === undefined,
  )?.value;
}

const LOADS = { kind: 'throughput', durationMs: 100, connections: [8, 2, 4], readyTimeoutMs: 2000 };

test.serial('throughput goes up to the first load that fails, over all sandboxes', async (t) => {
  const called = new Set<string | undefined>();
  let busy = 0;
  const staged = await stage(t, LOADS, (request, response) => {
    called.add(request.socket.localAddress);
    busy += 1;
    const status = busy > 2 ? 503 : 200;
    setTimeout(() => {
      busy -= 1;
      response.writeHead(status).end('hello');
    }, 10);
  });
  if (staged === undefined) return;
  const { instances, measurements, conditions, leftovers } = await run(staged);
  t.deepEqual(leftovers, []);
  t.is(staged.slots.taken, 0);
  t.deepEqual(
    instances.map(({ status }) => status),
    ['ok', 'ok'],
  );
  t.is(called.size, 2, 'both sandboxes were asked');
  t.is(figure(measurements, 'load.failures', '2'), 0);
  t.true(figure(measurements, 'load.requests', '2')! > 0);
  t.true(figure(measurements, 'load.ceiling_request_rate', '2')! > 0);
  t.true(figure(measurements, 'load.failures', '4')! > 0);
  t.is(figure(measurements, 'load.requests', '8'), undefined);
  t.is(conditions?.['load-stopped'], 'after 4 connections: requests failed');
  t.regex(conditions?.['load-failures-connections-4'] ?? '', /status 503 instead of 200/);
});

test.serial('throughput of which no request is answered fails', async (t) => {
  let answered = 0;
  // Each is called and asked once before the loads.
  const staged = await stage(t, LOADS, (_request, response) => {
    answered += 1;
    response.writeHead(answered > 4 ? 500 : 200).end('hello');
  });
  if (staged === undefined) return;
  const { instances, measurements } = await run(staged);
  t.is(staged.slots.taken, 0);
  t.deepEqual(
    instances.map(({ failure }) => failure?.code),
    ['FUNCTION_CRASHED', 'FUNCTION_CRASHED'],
  );
  t.regex(instances[0]?.failure?.message ?? '', /no request of any load was answered: .*500/);
  t.is(figure(measurements, 'load.requests', '2'), 0);
});

test.serial('throughput without a load generator is not armed', async (t) => {
  const staged = await stage(t, LOADS, (_request, response) => response.end());
  if (staged === undefined) return;
  const context = { ...staged.context, tools: {} };
  const arming = procedureOf('throughput').arm(context, CELL);
  t.is((await t.throwsAsync<LockstepError>(arming)).code, 'TOOL_MISSING');
  t.is(staged.slots.taken, 0);
});

test.serial('throughput that is stood down gives its slots back', async (t) => {
  const staged = await stage(t, LOADS, (_request, response) => response.end());
  if (staged === undefined) return;
  const armed = await procedureOf('throughput').arm(staged.context, CELL);
  t.is(staged.slots.taken, 3);
  t.deepEqual(await armed.standDown(), []);
  t.is(staged.slots.taken, 0);
});

test.serial('open-loop measures each rate with a label of its own', async (t) => {
  const loads = { kind: 'open-loop', ratesPerSecond: [50, 200.5], durationMs: 200 };
  const staged = await stage(t, loads, (_request, response) => response.end('hello'));
  if (staged === undefined) return;
  const { instances, measurements, conditions } = await run(staged);
  t.is(instances[0]?.status, 'ok', instances[0]?.failure?.message);
  for (const rate of ['50', '200.5']) {
    const names = measurements
      ?.filter(({ labels }) => labels?.rate === rate)
      .map(({ measure }) => measure);
    t.is(names?.filter((name) => name === 'load.latency').length, 5);
    t.true(names?.includes('load.not_sent'));
    t.regex(conditions?.[`load-lateness-rate-${rate}`] ?? '', /latency of the null server/);
  }
});
