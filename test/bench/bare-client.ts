import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import { isolationCommand } from '../../agent/runner/namespaces.ts';
import type { IsolationMode } from '../../agent/runner/namespaces.ts';
import type { Slot } from '../../agent/sandboxes/network.ts';

/** What the bare script is to start again and again. */
export interface BareSetUp {
  readonly slot: Slot;
  readonly readyPort: number;
  readonly functionPort: number;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Files of cgroups that the script joins, and so what it starts. */
  readonly joinFiles: readonly string[];
  /** Present if the command starts a container that has to be removed by another. */
  readonly container?: {
    readonly bundle: string;
    readonly config: string;
    readonly remove: readonly string[];
  };
}

const REPLY_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 10_000;

const Reply = z.object({
  isPrepared: z.literal(true).optional(),
  elapsedNs: z.string().regex(/^\d+$/).optional(),
  error: z.string().optional(),
});
type Reply = z.output<typeof Reply>;

/** The bare script in namespaces of its own, alive over all its cold starts. */
export class BareClient {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #ended = Promise.withResolvers<undefined>();
  #waiting: PromiseWithResolvers<Reply> | undefined;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      try {
        this.#waiting?.resolve(Reply.parse(JSON.parse(line)));
      } catch (error) {
        this.#waiting?.reject(error);
      }
    });
    const end = (): void => {
      this.#ended.resolve(undefined);
      this.#waiting?.reject(new Error('the bare script ended'));
    };
    child.once('error', end);
    child.once('close', end);
  }

  /**
   * Starts the script; the scratch folder gets a private tmpfs, on which the set-up's paths lie.
   */
  static async start(
    scratchFolder: string,
    mode: IsolationMode,
    setUp: BareSetUp,
  ): Promise<BareClient> {
    const script = new URL('bare-cold-start.mjs', import.meta.url).pathname;
    const [program = '', ...words] = isolationCommand({
      scratchFolder,
      mode,
      command: [process.execPath, script],
    });
    const child = spawn(program, words, {
      stdio: ['pipe', 'pipe', 'inherit'],
      // Ctrl-C is for the benchmark, which then ends this in order.
      detached: true,
    });
    const client = new BareClient(child);
    try {
      const hostNetns = readlinkSync('/proc/self/ns/net');
      await client.#ask({ ...setUp, hostNetns });
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** One cold start, from spawning the command to the first byte of the response, ns. */
  async coldStartNs(): Promise<bigint> {
    const { elapsedNs } = await this.#ask({});
    if (elapsedNs === undefined) throw new Error('the bare script answered without a time');
    return BigInt(elapsedNs);
  }

  /** Ends the script and everything in its namespaces. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => {
      this.#child.kill('SIGKILL');
    }, CLOSE_TIMEOUT_MS);
    await this.#ended.promise;
    clearTimeout(timer);
  }

  async #ask(question: object): Promise<Reply> {
    const waiting = Promise.withResolvers<Reply>();
    this.#waiting = waiting;
    const timer = setTimeout(() => {
      waiting.reject(new Error(`the bare script did not answer within ${REPLY_TIMEOUT_MS} ms`));
    }, REPLY_TIMEOUT_MS);
    try {
      if (this.#child.exitCode !== null) throw new Error('the bare script ended');
      this.#child.stdin.write(`${JSON.stringify(question)}\n`);
      const reply = await waiting.promise;
      if (reply.error !== undefined) throw new Error(`the bare script failed: ${reply.error}`);
      return reply;
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }
}
