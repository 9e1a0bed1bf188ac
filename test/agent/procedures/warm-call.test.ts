import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, createServer as createPlainServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { burst } from '../../../agent/procedures/burst.ts';
import type { Procedure, ProcedureContext } from '../../../agent/procedures/procedure.ts';
import { warmCall } from '../../../agent/procedures/warm-call.ts';
import { ReadyListener } from '../../../agent/runner/ready-listener.ts';
import type { Sandbox, SandboxDriver } from '../../../agent/sandboxes/driver.ts';
import { FUNCTION_PORT } from '../../../agent/sandboxes/function-root.ts';
import type { Slot, SlotPool } from '../../../agent/sandboxes/network.ts';
import { LockstepError } from '../../../schemas/errors.ts';

// The listener, the calls and the functions are real, on loopback addresses in place of slots. Only
// the sandbox around a function is left out: what the drivers do has tests of its own.

/** What the functions of a trial did. */
interface Stage {
  /** Arms this procedure with so many sandboxes, and starts it. */
  run(procedure: Procedure, instances: number): ReturnType<typeof startOf>;
  /** The sandboxes whose function does not become ready, by index. */
  readonly broken: Set<number>;
  /** The addresses that were called, in order. */
  readonly called: string[];
  /** The barriers that were reached, in order. */
  readonly reached: string[];
  /** What a barrier answers. */
  passBarrier: () => Promise<bigint>;
  removed: number;
  released: number;
}

let slotsGiven = 0;

/** Slots on loopback that no other test of this process has. */
function loopbackSlots(count: number): Slot[] {
  return Array.from({ length: count }, (_, index) => {
    slotsGiven += 1;
    const address = `127.${100 + (process.pid % 100)}.${(process.pid >> 8) & 0xff}.${slotsGiven}`;
    const fixed = { kind: 'veth', prefixLength: 30, interfaceName: 'lo', macAddress: '' } as const;
    return { ...fixed, index, address, gatewayAddress: '127.0.0.1', netnsPath: '' };
  });
}

async function freePort(): Promise<number> {
  const server = createPlainServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function startOf(procedure: Procedure, context: ProcedureContext, instances: number) {
  const cell = { id: 'cell', sandbox: 'process', function: 'hello-go', instances } as const;
  const armed = await procedure.arm(context, cell);
  return armed.start(process.hrtime.bigint());
}

async function stage(t: ExecutionContext): Promise<Stage> {
  const port = await freePort();
  const ready = await ReadyListener.open(port);
  t.teardown(() => ready.close());
  const staged: Stage = {
    broken: new Set(),
    called: [],
    reached: [],
    passBarrier: () => Promise.resolve(process.hrtime.bigint()),
    removed: 0,
    released: 0,
    run: (procedure, instances) => startOf(procedure, context, instances),
  };
  const driver = {
    name: 'process',
    slotKind: 'veth',
    create: async (_context, { slot }, observer): Promise<Sandbox> => {
      const { address } = slot;
      const server = createServer((_request, response) => {
        staged.called.push(address);
        response.end('hello');
      }).listen(FUNCTION_PORT, address);
      await once(server, 'listening');
      let readFinally = (): void => undefined;
      return {
        target: () => ({ id: address, cgroup: { mode: 'none' } }),
        onBeforeRemoval: (read) => {
          readFinally = read;
        },
        start: () => {
          if (staged.broken.has(slot.index)) observer.onExit('exit code 3');
          else connect({ host: '127.0.0.1', port, localAddress: address }).end();
          return process.hrtime.bigint();
        },
        readUsage: () => ({}),
        logTail: () => '',
        remove: () => {
          readFinally();
          staged.removed += 1;
          server.close();
          return Promise.resolve({ leftovers: [] });
        },
      } as Partial<Sandbox> as Sandbox;
    },
  } as Partial<SandboxDriver> as SandboxDriver;
  const slots = {
    acquire: (_kind: string, count: number) => Promise.resolve(loopbackSlots(count)),
    release: (slotsBack: readonly Slot[]) => {
      staged.released += slotsBack.length;
    },
  } as Partial<SlotPool> as SlotPool;
  const context = {
    driver,
    slots,
    ready,
    readyTimeoutMs: 10_000,
    signal: new AbortController().signal,
    readFinal: ({ index }) => [
      { instance: index, source: 'cgroup-pids', atMonoNs: process.hrtime.bigint(), readings: [] },
    ],
    passBarrier: (name: string) => {
      staged.reached.push(name);
      return staged.passBarrier();
    },
  } as Partial<ProcedureContext> as ProcedureContext;
  return staged;
}

test('warm-call calls nobody before the barrier, and then everybody once', async (t) => {
  const staged = await stage(t);
  const barrier = Promise.withResolvers<bigint>();
  const arrived = Promise.withResolvers<undefined>();
  staged.passBarrier = () => {
    arrived.resolve(undefined);
    return barrier.promise;
  };
  const running = staged.run(warmCall, 3);
  await arrived.promise;
  await delay(50);
  t.deepEqual(staged.called, []);
  const passedMonoNs = process.hrtime.bigint();
  barrier.resolve(passedMonoNs);
  const { instances } = await running;
  t.deepEqual(staged.reached, ['ready']);
  t.is(new Set(staged.called).size, 3);
  t.is(staged.called.length, 3);
  for (const { status, phases, failure } of instances) {
    t.is(status, 'ok', failure?.message);
    t.true((phases.ready ?? passedMonoNs) < passedMonoNs);
    t.true((phases.call ?? 0n) >= passedMonoNs);
    t.true((phases.firstByte ?? 0n) >= (phases.call ?? 0n));
  }
});

test('a burst calls each function when it is ready, without a barrier', async (t) => {
  const staged = await stage(t);
  const { instances, finals } = await staged.run(burst, 3);
  t.deepEqual(staged.reached, []);
  t.is(staged.called.length, 3);
  t.deepEqual(
    finals.map(({ instance }) => instance),
    [0, 1, 2],
  );
  t.true(instances.every(({ status }) => status === 'ok'));
});

test('a device with a failed sandbox stays away from the barrier and calls none', async (t) => {
  const staged = await stage(t);
  staged.broken.add(1);
  const { instances } = await staged.run(warmCall, 3);
  t.deepEqual(staged.reached, []);
  t.deepEqual(staged.called, []);
  t.deepEqual(
    instances.map(({ status, failure }) => `${status} ${failure?.code ?? ''}`),
    ['failed BARRIER_BROKEN', 'failed FUNCTION_CRASHED', 'failed BARRIER_BROKEN'],
  );
  t.is(staged.removed, 3);
  t.is(staged.released, 3);
});

test('a broken barrier fails all sandboxes of the device, and they are removed', async (t) => {
  const staged = await stage(t);
  staged.passBarrier = () =>
    Promise.reject(new LockstepError('BARRIER_BROKEN', 'device b will not reach the barrier'));
  const { instances, leftovers } = await staged.run(warmCall, 2);
  t.deepEqual(staged.called, []);
  t.deepEqual(
    instances.map(({ failure, failedAfter }) => [failure?.code, failedAfter]),
    [
      ['BARRIER_BROKEN', 'ready'],
      ['BARRIER_BROKEN', 'ready'],
    ],
  );
  t.deepEqual(leftovers, []);
  t.is(staged.removed, 2);
  t.is(staged.released, 2);
});
