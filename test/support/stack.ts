import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import { CHECKOUT } from './nats-server.ts';

/** What came out of one command line. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
  /** Resolves when stderr or stdout has shown the text; rejects if the command ends first. */
  shows(text: string): Promise<void>;
  /** What it has written to stderr so far. */
  stderr(): string;
}

/** Part of ava's context. */
export interface Teardown {
  teardown(undo: () => Promise<void>): void;
}

const DEADLINE_MS = 110_000;

/** A data folder of its own for one test; everything that still runs on it is ended after it. */
export class TestHome {
  readonly folder: string;
  readonly #environment: Record<string, string>;
  readonly #deadlineMs: number;
  readonly #running = new Set<ChildProcess>();

  constructor(folder: string, environment: Record<string, string>, deadlineMs = DEADLINE_MS) {
    this.folder = folder;
    this.#environment = environment;
    this.#deadlineMs = deadlineMs;
  }

  /** Makes the folder, and removes it after the test. */
  static async create(t: Teardown, environment: Record<string, string> = {}): Promise<TestHome> {
    const folder = await mkdtemp(join(tmpdir(), 'lockstep-home-'));
    const home = new TestHome(folder, environment);
    t.teardown(async () => {
      await home.end();
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    });
    return home;
  }

  /** Starts `lockstep` with these words. */
  start(...words: string[]): Running {
    const child = spawn(
      join(CHECKOUT, 'node_modules/.bin/node'),
      [join(CHECKOUT, 'coordinator/cli/main.ts'), '--data', this.folder, ...words],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, NO_COLOR: '1', ...this.#environment },
        detached: true,
      },
    );
    this.#running.add(child);
    return follow(child, this.#deadlineMs, () => this.#running.delete(child));
  }

  /** Runs `lockstep` with these words to its end. */
  run(...words: string[]): Promise<Outcome> {
    return this.start(...words).ended;
  }

  /** Ends what still runs. */
  async end(): Promise<void> {
    for (const child of this.#running) child.kill('SIGTERM');
    const giveUpAtMs = performance.now() + 30_000;
    while (this.#running.size > 0 && performance.now() < giveUpAtMs) await delay(50);
    for (const child of this.#running) child.kill('SIGKILL');
  }

  /** Ids of all processes whose command line names this folder. */
  async processIds(): Promise<number[]> {
    const found: number[] = [];
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
      const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
      if (line.includes(this.folder)) found.push(Number(name));
    }
    return found;
  }
}

/**
 * The variable that makes a home know `hello-go` and nothing else, in a folder that is gone after
 * the test: what is published of everything takes some seconds, in each new home.
 */
export async function onlyHelloGo(t: Teardown): Promise<{ LOCKSTEP_CACHE: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-cache-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const all = new ArtefactCache(join(CHECKOUT, '.lockstep/cache'));
  const own = new ArtefactCache(folder);
  const digest = (await all.names())['hello-go'];
  if (digest === undefined) return { LOCKSTEP_CACHE: folder };
  const manifest = await all.readManifest(digest);
  for (const file of manifest.files) await own.putFile(all.blobPath(file.digest));
  await own.setName('hello-go', await own.putManifest(manifest));
  return { LOCKSTEP_CACHE: folder };
}

/** True if the set-up built the functions, without which nothing can be measured. */
export async function hasFunctions(): Promise<boolean> {
  const names = await new ArtefactCache(join(CHECKOUT, '.lockstep/cache')).names();
  return names['hello-go'] !== undefined;
}

function follow(child: ChildProcess, deadlineMs: number, onEnd: () => void): Running {
  const texts = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      texts[name] += chunk;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<Outcome>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the command did not end: ${texts.stderr}`));
    }, deadlineMs);
    child.once('close', (code) => {
      clearTimeout(timer);
      onEnd();
      resolve({ code, ...texts });
    });
  });
  ended.catch(() => undefined);
  const shows = async (text: string): Promise<void> => {
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (!texts.stderr.includes(text) && !texts.stdout.includes(text)) return;
        listeners.delete(check);
        resolve();
      };
      listeners.add(check);
      check();
      ended.then(({ stderr }) => {
        reject(new Error(`it ended without showing '${text}': ${stderr}`));
      }, reject);
    });
  };
  return { child, ended, shows, stderr: () => texts.stderr };
}
