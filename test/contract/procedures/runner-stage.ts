import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { RunnerClient } from '../../../agent/runner/client.ts';
import { detectIsolation, isolationCommand } from '../../../agent/runner/namespaces.ts';
import type { RunnerResult } from '../../../agent/runner/protocol.ts';
import { detectRealTime } from '../../../agent/runner/real-time.ts';
import type { FunctionRoot } from '../../../agent/sandboxes/function-root.ts';
import { misbehaving } from '../../../agent/selftest/misbehaving.ts';
import type { Misbehaviour } from '../../../agent/selftest/misbehaving.ts';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import { Procedure } from '../../../schemas/procedure.ts';
import type { ProcedureKind } from '../../../schemas/procedure.ts';
import { deadlineMs } from '../../../schemas/procedure-duration.ts';
import type { SandboxName } from '../../../schemas/sandbox.ts';
import { buildMisbehave } from '../../functions/misbehave.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const LIMITS = { memoryMib: 256, cpus: 1 } as const;
const CALL_TIMEOUT_MS = 120_000;
/** What the removal may take on top; see the agent's session. */
const REMOVAL_MS = 40_000;
const LEAD_NS = 20_000_000n;
const FUNCTIONS = ['hello-go', 'study-go'] as const;
const MISBEHAVIOURS: readonly Misbehaviour[] = [
  'never-ready',
  'crash-before-ready',
  'crash-after-ready',
  'status-500',
];

export type Outcome = RunnerResult<'start'>;

/** What to run: the parameters of a procedure, a function, and how many sandboxes. */
export interface Trial {
  readonly kind: ProcedureKind;
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Default: hello-go. */
  readonly function?: string;
  readonly instances?: number;
}

/** A real measuring process in its namespaces, for procedures in one kind of sandbox. */
export class RunnerStage {
  /** Copies on a disk that nothing else runs; evicting them disturbs nobody. */
  readonly functions: readonly FunctionRoot[];
  readonly #sandbox: SandboxName;
  readonly #runner: RunnerClient;
  readonly #folder: string;
  readonly #cgroupName: string;
  readonly #scratchFolder: string;
  /** What is there between trials, such as a daemon. */
  #staying: readonly string[] = [];
  #trials = 0;

  private constructor(parts: {
    sandbox: SandboxName;
    runner: RunnerClient;
    folder: string;
    cgroupName: string;
    scratchFolder: string;
    functions: readonly FunctionRoot[];
  }) {
    this.#sandbox = parts.sandbox;
    this.#runner = parts.runner;
    this.#folder = parts.folder;
    this.#cgroupName = parts.cgroupName;
    this.#scratchFolder = parts.scratchFolder;
    this.functions = parts.functions;
  }

  /** Returns the stage, or why it can't be had here. */
  static async open(sandbox: SandboxName): Promise<RunnerStage | string> {
    const isolation = await detectIsolation();
    if (isolation.mode === 'none') return isolation.failure.message;
    const { mode } = isolation;
    const parent = join(CHECKOUT, '.lockstep', 'test-functions');
    await mkdir(parent, { recursive: true });
    const folder = await mkdtemp(join(parent, 'procedures-'));
    const functions = await copyFunctions(folder);
    if (typeof functions === 'string') {
      await rm(folder, { recursive: true });
      return functions;
    }
    const scratchFolder = await mkdtemp(join(tmpdir(), 'lockstep-procedures-'));
    const realTime = await detectRealTime((command) =>
      isolationCommand({ scratchFolder, mode, command }),
    );
    const runner = await RunnerClient.start({
      ...{ scratchFolder, isolation: mode, realTime: realTime.words },
      logger: pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true })),
    });
    const cgroupName = `procedures-${sandbox}-${process.pid}`;
    const setUp = { cgroupName, scratchFolder, functions: [...functions], limits: LIMITS };
    const stage = new RunnerStage({
      ...{ sandbox, runner, folder, cgroupName, scratchFolder, functions },
    });
    let isOpen = false;
    try {
      await runner.call('setUp', setUp, CALL_TIMEOUT_MS);
      const found = await runner.call('probe', { sandbox, timeoutMs: 30_000 }, CALL_TIMEOUT_MS);
      if (!found.available) return found.failure.message;
      stage.#staying = await stage.look();
      isOpen = true;
      return stage;
    } finally {
      if (!isOpen) await stage.close();
    }
  }

  /** Arms, starts and waits for the end. */
  async run(trial: Trial): Promise<Outcome> {
    const { trialId } = await this.arm(trial);
    const beginMs = performance.now();
    const outcome = await this.start(trialId);
    const elapsedMs = performance.now() - beginMs;
    const mostMs = deadlineMs(parametersOf(trial), trial.instances ?? 1) + REMOVAL_MS;
    assert.ok(elapsedMs < mostMs, `${trial.kind}: ${elapsedMs} ms of ${mostMs} ms at most`);
    return outcome;
  }

  async arm(trial: Trial): Promise<{ trialId: string; targets: number }> {
    this.#trials += 1;
    const trialId = `t${this.#trials}`;
    const functionName = trial.function ?? 'hello-go';
    const instances = trial.instances ?? 1;
    const cell = { id: trialId, sandbox: this.#sandbox, function: functionName, instances };
    const parameters = parametersOf(trial);
    const { targets } = await this.#runner.call(
      'arm',
      { trialId, cell, parameters, seed: 1, isSampled: false },
      CALL_TIMEOUT_MS,
    );
    return { trialId, targets: targets.length };
  }

  start(trialId: string): Promise<Outcome> {
    const targetMonoNs = process.hrtime.bigint() + LEAD_NS;
    return this.#runner.call('start', { trialId, targetMonoNs }, CALL_TIMEOUT_MS);
  }

  async standDown(trialId: string): Promise<readonly string[]> {
    const reason = { code: 'CANCELLED', message: 'the test stands it down' } as const;
    return (await this.#runner.call('standDown', { trialId, reason }, CALL_TIMEOUT_MS)).leftovers;
  }

  /** Processes and cgroups of sandboxes that are there. */
  lookNow(): string[] {
    const all = [...this.#sandboxProcesses(), ...this.#cgroups()];
    return all.filter((one) => !this.#staying.includes(one));
  }

  /** The same when what has ended has been reaped: all that a trial has left. */
  async look(): Promise<string[]> {
    const deadline = performance.now() + 3000;
    for (;;) {
      const found = this.lookNow();
      // The first process of the namespace needs a moment to reap what has ended.
      if (found.length === 0 || performance.now() > deadline) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async close(): Promise<string[]> {
    await this.#runner.close();
    await rm(this.#folder, { recursive: true });
    await rm(this.#scratchFolder, { recursive: true });
    return this.#cgroups();
  }

  // Of the pid namespace of the runner, without the runner and its init.
  #sandboxProcesses(): string[] {
    const namespaces = new Set<string>();
    const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    for (const id of all) {
      const text = readProc(id, 'cmdline');
      const isRunner = text.includes('agent/runner/main.ts') && isBelow(id, process.pid);
      if (isRunner && text.includes(this.#scratchFolder)) namespaces.add(pidNamespace(id));
    }
    namespaces.delete(pidNamespace(String(process.pid)));
    return all.flatMap((id) => {
      if (!namespaces.has(pidNamespace(id))) return [];
      const text = readProc(id, 'cmdline').replaceAll('\0', ' ').trim();
      return text.includes('agent/runner/main.ts') ? [] : [`process ${id}: ${text}`];
    });
  }

  #cgroups(): string[] {
    // Others' cgroups may go while it looks, of which find complains.
    const words = ['/sys/fs/cgroup', '-path', `*/${this.#cgroupName}/*`, '-type', 'd'];
    const found = spawnSync('find', words).stdout;
    return found.toString().split('\n').filter(Boolean);
  }
}

function parametersOf({ kind, parameters }: Trial): Procedure {
  return Procedure.parse({ kind, ...parameters });
}

async function copyFunctions(folder: string): Promise<FunctionRoot[] | string> {
  const cache = new ArtefactCache(join(CHECKOUT, '.lockstep', 'cache'));
  const names = await cache.names();
  const roots: FunctionRoot[] = [];
  for (const name of FUNCTIONS) {
    const digest = names[name];
    if (digest === undefined) return `${name} is not built`;
    const manifest = await cache.readManifest(digest);
    const copy = join(folder, name);
    await cp(await cache.assemble(digest), copy, { recursive: true });
    roots.push({ manifest, digest, folder: copy });
  }
  try {
    const misbehave = await buildMisbehave();
    const files = roots[0]?.manifest.files.filter(({ path }) => path === '/function') ?? [];
    const bad = MISBEHAVIOURS.map((how) => misbehaving(misbehave, how));
    // The runner wants a list of files, and looks at none of them.
    return [...roots, ...bad.map((root) => ({ ...root, manifest: { ...root.manifest, files } }))];
  } catch (error) {
    if ((error as { code?: string }).code === 'TOOL_MISSING') return 'there is no Go compiler';
    throw error;
  }
}

function readProc(id: string, file: string): string {
  try {
    return readFileSync(`/proc/${id}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

function pidNamespace(id: string): string {
  try {
    return readlinkSync(`/proc/${id}/ns/pid`);
  } catch {
    return '';
  }
}

function isBelow(id: string, ancestor: number): boolean {
  for (let at = Number(id); at > 1;) {
    if (at === ancestor) return true;
    const stat = readProc(String(at), 'stat');
    at = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
  }
  return false;
}
