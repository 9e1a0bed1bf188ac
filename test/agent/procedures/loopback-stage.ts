import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect, createServer as createPlainServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import type { Procedure, ProcedureContext } from '../../../agent/procedures/procedure.ts';
import type { ProcedureOutcome } from '../../../agent/procedures/procedure.ts';
import { ReadyListener } from '../../../agent/runner/ready-listener.ts';
import type { Sandbox, SandboxDriver, SandboxObserver } from '../../../agent/sandboxes/driver.ts';
import { FUNCTION_PORT } from '../../../agent/sandboxes/function-root.ts';
import type { FunctionRoot } from '../../../agent/sandboxes/function-root.ts';
import type { Slot, SlotPool } from '../../../agent/sandboxes/network.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { Procedure as ProcedureParameters } from '../../../schemas/procedure.ts';
import type { SandboxUsage } from '../../../schemas/result.ts';

// The listener, the calls and the functions are real, on loopback addresses in place of slots. Only
// the sandbox around a function is left out: what the drivers do has tests of its own.

/** What a function answers. */
export interface Answer {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** What the functions of a trial did. */
export interface LoopbackStage {
  /** Arms this procedure with so many sandboxes, and starts it. */
  run(
    procedure: Procedure,
    instances: number,
    parameters?: Record<string, unknown>,
  ): Promise<ProcedureOutcome>;
  /** The sandboxes, by the number of their creation from 0, whose function ends at its start. */
  readonly broken: Set<number>;
  /** Those that can't be created. */
  readonly unborn: Set<number>;
  /** The addresses that were called, in order. */
  readonly called: string[];
  /** The barriers that were reached, in order. */
  readonly reached: string[];
  /** What a barrier answers. */
  passBarrier: () => Promise<bigint>;
  /** What a function answers; the number is that of its sandbox. */
  answer: (path: string, sandbox: number) => Answer;
  /** What a sandbox has used. */
  usage: (sandbox: number) => SandboxUsage;
  /** Ends a sandbox by itself. */
  end(sandbox: number): void;
  /** Stands the trial down. */
  readonly abort: AbortController;
  created: number;
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

/** Makes a stage that ends with the test. */
export async function openLoopbackStage(t: ExecutionContext): Promise<LoopbackStage> {
  const port = await freePort();
  const ready = await ReadyListener.open(port);
  t.teardown(() => ready.close());
  const sandboxes: { server: Server; observer: SandboxObserver }[] = [];
  const stage: LoopbackStage = {
    broken: new Set(),
    unborn: new Set(),
    called: [],
    reached: [],
    passBarrier: () => Promise.resolve(process.hrtime.bigint()),
    answer: () => ({ body: 'hello' }),
    usage: () => ({}),
    end: (number) => {
      const { server, observer } = sandboxes[number]!;
      server.close();
      server.closeAllConnections();
      observer.onExit('signal SIGKILL');
    },
    abort: new AbortController(),
    created: 0,
    removed: 0,
    released: 0,
    run: (procedure, instances, parameters) => {
      const { kind } = procedure;
      return startOf(
        procedure,
        { ...context, parameters: ProcedureParameters.parse({ kind, ...parameters }) },
        instances,
      );
    },
  };
  const driver = {
    name: 'process',
    slotKind: 'veth',
    create: async (_context, { slot }, observer): Promise<Sandbox> => {
      const number = stage.created;
      stage.created += 1;
      if (stage.unborn.has(number)) throw new LockstepError('SANDBOX_FAILED', 'it is not created');
      const { address } = slot;
      const server = createServer((request, response) => {
        stage.called.push(address);
        const { status = 200, body = '', headers } = stage.answer(request.url ?? '', number);
        response.writeHead(status, headers).end(body);
      }).listen(FUNCTION_PORT, address);
      await once(server, 'listening');
      sandboxes[number] = { server, observer };
      return sandboxOf(number, { server, observer, address });
    },
  } as Partial<SandboxDriver> as SandboxDriver;
  const sandboxOf = (
    number: number,
    parts: { server: Server; observer: SandboxObserver; address: string },
  ): Sandbox => {
    const { server, observer, address } = parts;
    let readFinally = (): void => undefined;
    return {
      target: () => ({ id: address, cgroup: { mode: 'none' } }),
      onBeforeRemoval: (read) => {
        readFinally = read;
      },
      start: () => {
        if (stage.broken.has(number)) observer.onExit('exit code 3');
        else connect({ host: '127.0.0.1', port, localAddress: address }).end();
        return process.hrtime.bigint();
      },
      readUsage: () => stage.usage(number),
      processIds: () => [process.pid],
      logTail: () => `log of ${number}`,
      remove: async () => {
        readFinally();
        stage.removed += 1;
        if (server.listening) {
          const closed = once(server, 'close');
          server.close();
          server.closeAllConnections();
          await closed;
        }
        return { leftovers: [] };
      },
    } as Partial<Sandbox> as Sandbox;
  };
  const slots = {
    acquire: (_kind: string, count: number) => Promise.resolve(loopbackSlots(count)),
    release: (slotsBack: readonly Slot[]) => {
      stage.released += slotsBack.length;
    },
  } as Partial<SlotPool> as SlotPool;
  const context = {
    driver,
    slots,
    ready,
    functionRoot: { folder: import.meta.dirname } as FunctionRoot,
    readyTimeoutMs: 10_000,
    signal: stage.abort.signal,
    readFinal: ({ index }) => [
      { instance: index, source: 'cgroup-pids', atMonoNs: process.hrtime.bigint(), readings: [] },
    ],
    passBarrier: (name: string) => {
      stage.reached.push(name);
      return stage.passBarrier();
    },
  } as Partial<ProcedureContext> as ProcedureContext;
  return stage;
}

async function startOf(
  procedure: Procedure,
  context: ProcedureContext,
  instances: number,
): Promise<ProcedureOutcome> {
  const cell = { id: 'cell', sandbox: 'process', function: 'hello-go', instances } as const;
  const armed = await procedure.arm(context, cell);
  return armed.start(process.hrtime.bigint());
}
