import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { LoopOpened, LoopReply, LoopRequest } from './loop-worker.ts';
import type { ReadingChunk } from './reading-table.ts';
import { COMMANDS } from './sample-loop.ts';
import type { LoopStatistics } from './sample-loop.ts';

type Reply<K extends LoopReply['kind']> = Extract<LoopReply, { kind: K }>;

/** The thread of the loop as the rest of its process sees it. One call at a time. */
export class LoopThread {
  readonly #worker: Worker;
  readonly #control: Int32Array;
  readonly #ended: Promise<never>;
  #isGoing = false;

  /** @param entry program of the thread, which calls serveLoop */
  constructor(entry: URL) {
    const memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    this.#control = new Int32Array(memory);
    this.#worker = new Worker(entry, { workerData: memory });
    this.#ended = new Promise((_, reject) => {
      this.#worker.once('error', reject);
      this.#worker.once('exit', (code) => {
        reject(new Error(`the thread of the loop ended with ${code}`));
      });
    });
    // Who calls next is told.
    this.#ended.catch(() => undefined);
  }

  /** Opens the sources that are named; undefined for those that are gone. */
  async open(
    request: Extract<LoopRequest, { kind: 'open' }>,
  ): Promise<readonly (LoopOpened | undefined)[]> {
    return (await this.#ask(request, 'opened')).sources;
  }

  /** Begins to sample; resolves after the first round. */
  async begin(): Promise<void> {
    this.#isGoing = true;
    await this.#ask({ kind: 'begin' }, 'begun');
  }

  /** What was sampled so far, by source. */
  async take(): Promise<ReadingChunk[][]> {
    return (await this.#command('take', 'taken')).tables;
  }

  /** Ends the loop after a last reading; gives what was not taken yet. */
  async end(): Promise<{ tables: ReadingChunk[][]; statistics: LoopStatistics }> {
    const reply = await this.#command('end', 'ended');
    this.#isGoing = false;
    return reply;
  }

  /** Closes all sources, whether the loop goes or not. */
  async abandon(): Promise<void> {
    if (this.#isGoing) await this.#command('abandon', 'ended');
    else await this.#ask({ kind: 'close' }, 'closed');
    this.#isGoing = false;
  }

  async #ask<K extends LoopReply['kind']>(request: LoopRequest, kind: K): Promise<Reply<K>> {
    const reply = this.#next(kind);
    this.#worker.postMessage(request);
    return await reply;
  }

  async #command<K extends LoopReply['kind']>(
    command: Exclude<keyof typeof COMMANDS, 'go'>,
    kind: K,
  ): Promise<Reply<K>> {
    const reply = this.#next(kind);
    Atomics.store(this.#control, 0, COMMANDS[command]);
    Atomics.notify(this.#control, 0);
    return await reply;
  }

  async #next<K extends LoopReply['kind']>(kind: K): Promise<Reply<K>> {
    const abort = new AbortController();
    try {
      const message = once(this.#worker, 'message', { signal: abort.signal });
      const [reply] = (await Promise.race([message, this.#ended])) as [LoopReply];
      if (reply.kind !== kind) throw new Error(`the loop answered ${reply.kind}, not ${kind}`);
      return reply as Reply<K>;
    } finally {
      abort.abort();
    }
  }
}
