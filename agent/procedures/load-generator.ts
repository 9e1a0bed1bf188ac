import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { neutralEnvironment } from '../sandboxes/command.ts';
import { readInheritanceFacts, resetCommand } from '../sandboxes/inheritance.ts';
import { parseLoadReport } from './load-report.ts';
import type { LoadReport } from './load-report.ts';

/** Name of the artefact, and of the program in it. */
export const LOAD_GENERATOR = 'load-generator';

/** Time to open the connections of a load, beside its duration and the last answers, ms. */
export const CONNECTING_MS = 1000;

/** What is common to all loads. */
export interface LoadTarget {
  /** Address and port of each server. */
  readonly addresses: readonly string[];
  readonly path: string;
  /** Size of a good answer's body. Absent: any. */
  readonly expectBytes?: number;
  /** How long a request may take. */
  readonly timeoutMs: number;
  /** When the load must have ended, ms from its start. */
  readonly deadlineMs: number;
}

/** As many requests as go over a number of connections. */
export interface ClosedLoad {
  readonly mode: 'closed';
  readonly connections: number;
  /** In all. Absent: as many as go into the duration. */
  readonly requests?: number;
  readonly durationMs: number;
}

/** Requests at instants that are fixed beforehand. */
export interface OpenLoad {
  readonly mode: 'open';
  readonly ratePerSecond: number;
  readonly arrivals: 'even' | 'poisson';
  readonly seed: number;
  readonly connectionsMax: number;
  readonly durationMs: number;
}

/** A server that answers every request with the same bytes at once. */
export interface NullServer {
  /** Address and port. */
  readonly address: string;
  close(): Promise<void>;
}

/** Where and how long a null server listens. */
export interface NullServerOptions {
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Size of each answer's body. */
  readonly bodyBytes: number;
  /** File of the network namespace to listen in. Absent: that of this process. */
  readonly netnsPath?: string;
  /** It ends by itself after this time. */
  readonly deadlineMs: number;
}

const REPORT_BYTES_MAX = 64 * 1024;
const LISTENING_TIMEOUT_MS = 10_000;
// The generator ends by its own deadline; this is for one that does not.
const GRACE_MS = 3000;
const EXIT_NOT_PERMITTED = 3;

/** The load generator on this device. Its processes are of the ordinary scheduling class. */
export class LoadGenerator {
  readonly #program: string;

  /** @param folder root of the artefact. */
  constructor(folder: string) {
    this.#program = join(folder, LOAD_GENERATOR);
  }

  /**
   * Finds the load generator among the tools of a run.
   *
   * @throws LockstepError TOOL_MISSING.
   */
  static among(tools: Readonly<Record<string, string>>): LoadGenerator {
    const folder = tools[LOAD_GENERATOR];
    if (folder !== undefined) return new LoadGenerator(folder);
    throw new LockstepError('TOOL_MISSING', 'the load generator was not prepared for this run', {
      hint: 'Run `npm run setup` where the coordinator is, with a Go compiler.',
    });
  }

  /**
   * Runs one load to its end. Requests that fail are part of the report.
   *
   * @throws LockstepError CANCELLED if the signal aborts, DEADLINE_EXCEEDED if it does not end,
   * PERMISSION_MISSING if it may not have as many connections, INTERNAL if it fails otherwise.
   */
  async run(
    load: ClosedLoad | OpenLoad,
    target: LoadTarget,
    signal: AbortSignal,
  ): Promise<LoadReport> {
    assertGoing(signal);
    const child = this.#spawn(loadWords(load, target));
    const output = collect(child);
    const timer = setTimeout(() => child.kill('SIGKILL'), target.deadlineMs + GRACE_MS);
    let killer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      child.kill('SIGTERM');
      killer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const { code, exitSignal } = await ended(child);
      assertGoing(signal);
      if (code === 0) return parseLoadReport(output.stdout);
      throw loadFailure(code, exitSignal, output.stderr);
    } finally {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(timer);
      clearTimeout(killer);
    }
  }

  /**
   * Starts a null server and waits until it listens.
   *
   * @throws LockstepError INTERNAL if it does not.
   */
  async serveNull(options: NullServerOptions): Promise<NullServer> {
    const { address, port, bodyBytes, netnsPath, deadlineMs } = options;
    const words = [
      ...['null', '--listen', `${address}:${port}`, '--bytes', String(bodyBytes)],
      ...['--deadline-ms', String(deadlineMs)],
    ];
    const child = this.#spawn(words, netnsPath);
    const output = collect(child);
    const exit = ended(child);
    const timer = setTimeout(() => child.kill('SIGKILL'), LISTENING_TIMEOUT_MS);
    try {
      const listening = new Promise<undefined>((resolve) => {
        child.stdout?.once('data', () => {
          resolve(undefined);
        });
      });
      const early = await Promise.race([listening, exit]);
      if (early !== undefined) throw loadFailure(early.code, early.exitSignal, output.stderr);
    } finally {
      clearTimeout(timer);
    }
    const said = JSON.parse(output.stdout) as { listening: string };
    return {
      address: said.listening,
      close: async () => {
        child.kill('SIGKILL');
        await exit;
      },
    };
  }

  #spawn(words: readonly string[], netnsPath?: string): ChildProcess {
    const enter = netnsPath === undefined ? [] : ['nsenter', `--net=${netnsPath}`];
    const [program = '', ...rest] = [...ordinaryCommand(), ...enter, this.#program, ...words];
    return spawn(program, rest, {
      cwd: '/',
      env: neutralEnvironment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

/** As a sandbox starts, but with as many open files as this process may have: one a connection. */
function ordinaryCommand(): string[] {
  return resetCommand(readInheritanceFacts()).filter((word) => !word.startsWith('--nofile='));
}

function assertGoing(signal: AbortSignal): void {
  if (signal.aborted) throw new LockstepError('CANCELLED', 'the trial was stood down');
}

function loadWords(load: ClosedLoad | OpenLoad, target: LoadTarget): string[] {
  const common = [
    ...target.addresses.flatMap((address) => ['--target', address]),
    ...['--path', target.path],
    ...(target.expectBytes === undefined ? [] : ['--expect-bytes', String(target.expectBytes)]),
    ...['--timeout-ms', String(target.timeoutMs), '--deadline-ms', String(target.deadlineMs)],
    ...['--duration-ms', String(load.durationMs)],
  ];
  if (load.mode === 'closed') {
    const requests = load.requests === undefined ? [] : ['--requests', String(load.requests)];
    return ['closed', ...common, '--connections', String(load.connections), ...requests];
  }
  return [
    ...['open', ...common, '--connections', String(load.connectionsMax)],
    ...['--rate', String(load.ratePerSecond), '--arrivals', load.arrivals],
    ...['--seed', String(load.seed)],
  ];
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      if (output[name].length < REPORT_BYTES_MAX) output[name] += text;
    });
  }
  return output;
}

interface Exit {
  readonly code: number | null;
  readonly exitSignal: NodeJS.Signals | null;
}

async function ended(child: ChildProcess): Promise<Exit> {
  const { promise, resolve, reject } = Promise.withResolvers<Exit>();
  child.once('error', reject);
  child.once('close', (code, exitSignal) => {
    resolve({ code, exitSignal });
  });
  try {
    return await promise;
  } catch (cause) {
    throw new LockstepError('TOOL_MISSING', 'the load generator could not be started', {
      cause,
      hint: 'Install util-linux (chrt, taskset, prlimit, nsenter).',
    });
  }
}

function loadFailure(
  code: number | null,
  exitSignal: NodeJS.Signals | null,
  stderr: string,
): LockstepError {
  const said = stderr.trim().slice(-500);
  if (code === EXIT_NOT_PERMITTED) {
    return new LockstepError('PERMISSION_MISSING', said, {
      hint: 'Run the agent as root, raise its limit of open files, or measure fewer connections.',
    });
  }
  if (exitSignal === 'SIGKILL') {
    return new LockstepError('DEADLINE_EXCEEDED', 'the load generator did not end in time');
  }
  return new LockstepError(
    'INTERNAL',
    `the load generator failed (${exitSignal ?? `exit code ${String(code)}`}): ${said}`,
  );
}
