import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import { fromFailure } from '../../schemas/failure.ts';
import { SYSTEM_ROOTS } from '../collectors/collector.ts';
import type { FinalReading, Roots } from '../collectors/collector.ts';
import { neutralEnvironment } from '../sandboxes/command.ts';
import { SAMPLER_METHODS, SamplerReply } from './messages.ts';
import type { SamplerMethod, SamplerParams, SamplerResult } from './messages.ts';
import { placeSampler, usableCpus } from './placement.ts';
import type {
  EncodedMetrics,
  SampleOrder,
  Sampled,
  SampledSoFar,
  SamplerPort,
} from './protocol.ts';

/** How a sampler is started. */
export interface SamplerOptions {
  readonly logger: Logger;
  /** Processors that the measurements run on; the sampler keeps off them. Absent: not known. */
  readonly measuredCpus?: readonly number[];
  /** What readings of a trial may take before they are encoded, bytes. Default 64 MiB. */
  readonly memoryMaxBytes?: number;
  /** Default: the folders of this machine. */
  readonly roots?: Roots;
  /** Program of the sampler, if it is another one than that of the release. */
  readonly entry?: string;
}

/** Where a sampler runs, as it says itself. */
export interface SamplerPlace {
  /** Its class and nice value. */
  readonly schedulingClass: string;
  /** Processors that it may run on, as a list. */
  readonly cpus: string;
  /** Why these. */
  readonly reason: string;
}

const MEMORY_MAX_BYTES = 64 * 1024 * 1024;

/** Deadlines, ms. What encodes samples takes seconds for a long trial on a small device. */
const TIMEOUTS_MS = {
  start: 20_000,
  open: 15_000,
  begin: 10_000,
  takeSoFar: 60_000,
  end: 120_000,
  abandon: 10_000,
  close: 3_000,
} as const;

// Helper threads of the collector could run beside the loop; its heap is too small to need them.
const NODE_OPTIONS = ['--single-threaded-gc'];

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly blocks: Uint8Array[];
  readonly metrics: EncodedMetrics[];
}

/** The agent's end of a sampler: starts its process, asks it, ends it. */
export class SamplerClient implements SamplerPort {
  readonly #child: ChildProcess;
  readonly #options: SamplerOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  readonly #ready = Promise.withResolvers<Omit<SamplerPlace, 'reason'>>();
  #place: SamplerPlace | undefined;
  #nextId = 1;
  #end: LockstepError | undefined;

  private constructor(child: ChildProcess, options: SamplerOptions) {
    this.#child = child;
    this.#options = options;
    this.#ready.promise.catch(() => undefined);
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#fail(`it ended with ${signal ?? `code ${code ?? '?'}`}`);
        resolve();
      });
    });
    child.once('error', (error) => {
      this.#fail(error.message);
    });
    child.on('message', (message) => {
      this.#receive(message);
    });
    if (child.stderr !== null) {
      createInterface({ input: child.stderr }).on('line', (line) => {
        options.logger.warn({ line }, 'sampler');
      });
    }
  }

  /**
   * Starts a sampler in the ordinary scheduling class, off the measured processors if any other is
   * left. It inherits nothing of this process: not the class, the processors or the environment.
   *
   * @throws LockstepError if it does not start within 20 s.
   */
  static async start(options: SamplerOptions): Promise<SamplerClient> {
    const { pinnedTo, reason } = placeSampler(usableCpus(), options.measuredCpus);
    const entry = options.entry ?? new URL('main.ts', import.meta.url).pathname;
    const canPin = pinnedTo !== undefined && isInstalled('taskset');
    const words = [
      ...(isInstalled('chrt') ? ['chrt', '--other', '0'] : []),
      ...(canPin ? ['taskset', '--cpu-list', String(pinnedTo)] : []),
    ];
    const command = [...words, process.execPath, ...NODE_OPTIONS, entry];
    const child = spawn(command[0] ?? process.execPath, command.slice(1), {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
      env: { ...neutralEnvironment },
      // A terminal's Ctrl-C goes to the whole group; the sampler ends with its channel.
      detached: true,
    });
    const client = new SamplerClient(child, options);
    try {
      const found = await client.#inTime('start', client.#ready.promise);
      const isMissing = pinnedTo !== undefined && !canPin;
      const why = isMissing ? 'not pinned: taskset (util-linux) is not installed' : reason;
      client.#place = { ...found, reason: why };
      options.logger.debug({ place: client.#place }, 'sampler started');
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  get isAlive(): boolean {
    return this.#end === undefined;
  }

  /** Where it runs, and why there. */
  get place(): SamplerPlace {
    return this.#place ?? { schedulingClass: 'unknown', cpus: 'unknown', reason: 'not started' };
  }

  /** Id of its process. */
  get processId(): number | undefined {
    return this.#child.pid;
  }

  async open(order: SampleOrder): Promise<void> {
    const { roots = SYSTEM_ROOTS, memoryMaxBytes = MEMORY_MAX_BYTES } = this.#options;
    await this.#call('open', { order: order as never, roots, maxBytes: memoryMaxBytes });
  }

  async begin(): Promise<void> {
    await this.#call('begin', {});
  }

  async takeSoFar(utcMinusMonoNs: bigint): Promise<SampledSoFar> {
    const { blocks, metrics } = await this.#call('takeSoFar', { utcMinusMonoNs });
    return { blocks, metrics };
  }

  async end(finals: readonly FinalReading[], utcMinusMonoNs: bigint): Promise<Sampled> {
    const params = { finals: [...finals], utcMinusMonoNs };
    const { result, blocks, metrics } = await this.#call('end', params);
    return { report: result.report, blocks, metrics };
  }

  async abandon(): Promise<void> {
    await this.#call('abandon', {});
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => {
      this.#options.logger.warn({ timeoutMs: TIMEOUTS_MS.close }, 'sampler killed: did not end');
      this.#child.kill('SIGKILL');
    }, TIMEOUTS_MS.close);
    // A program that could not be started never closes.
    if (this.#child.pid !== undefined) await this.#exited;
    clearTimeout(timer);
  }

  async #call<M extends SamplerMethod>(
    method: M,
    params: SamplerParams<M>,
  ): Promise<Pick<Pending, 'blocks' | 'metrics'> & { readonly result: SamplerResult<M> }> {
    if (this.#end !== undefined) throw this.#end;
    const id = this.#nextId++;
    const schemas = SAMPLER_METHODS[method];
    const [blocks, metrics]: [Uint8Array[], EncodedMetrics[]] = [[], []];
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, blocks, metrics });
    });
    try {
      const checked = schemas.params.parse(params);
      // That it is gone is told by its end.
      this.#child.send({ id, method, params: checked }, () => undefined);
      const result = await this.#inTime(method, answer);
      return { result: schemas.result.decode(result as never) as never, blocks, metrics };
    } finally {
      this.#pending.delete(id);
    }
  }

  /** One that does not answer in time is ended: what it is at is not known any more. */
  async #inTime<T>(what: keyof typeof TIMEOUTS_MS, answer: Promise<T>): Promise<T> {
    const timeoutMs = TIMEOUTS_MS[what];
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#child.kill('SIGKILL');
      late.reject(
        new LockstepError(
          'DEADLINE_EXCEEDED',
          `the sampler did not answer ${what} within ${timeoutMs} ms`,
        ),
      );
    }, timeoutMs);
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #receive(message: unknown): void {
    const parsed = SamplerReply.safeParse(message);
    if (!parsed.success) {
      const reason = errorMessageOf(parsed.error).slice(0, 500);
      this.#options.logger.error({ reason }, 'unreadable message from the sampler');
      return;
    }
    const reply = parsed.data;
    if ('ready' in reply) {
      this.#ready.resolve(reply.ready);
      return;
    }
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    if ('part' in reply) {
      const { part } = reply;
      if (part.kind === 'block') pending.blocks.push(part.bytes);
      else pending.metrics.push({ bytes: part.bytes, points: part.points });
    } else if ('failure' in reply) pending.reject(fromFailure(reply.failure));
    else pending.resolve(reply.result);
  }

  #fail(reason: string): void {
    this.#end ??= new LockstepError('SAMPLER_LOST', `the sampler is gone: ${reason}`, {
      hint: "Look at the agent's log.",
    });
    this.#ready.reject(this.#end);
    for (const pending of this.#pending.values()) pending.reject(this.#end);
  }
}

function isInstalled(program: string): boolean {
  return neutralEnvironment.PATH.split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
