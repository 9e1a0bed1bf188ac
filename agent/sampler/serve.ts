import assert from 'node:assert';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError } from '../../schemas/errors.ts';
import { toFailure } from '../../schemas/failure.ts';
import { readSchedulingClass } from '../runner/scheduling-class.ts';
import { LoopThread } from './loop-thread.ts';
import { SAMPLER_METHODS, SamplerRequest } from './messages.ts';
import type { SamplerMethod, SamplerParams, SamplerReply, SamplerResult } from './messages.ts';
import type { Collectors } from './open-sources.ts';
import { resetNice } from './own-threads.ts';
import { allowedCpuList } from './placement.ts';
import { TrialSampling } from './trial-sampling.ts';
import type { TakePart } from './trial-sampling.ts';

/** Time for closing what is open after the agent is gone, ms. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * Serves an agent over the channel that it started this process with, one request after the other,
 * until the channel closes: by the agent, or because it is gone, however it ended.
 *
 * @param collectors all that can be read
 * @param loopEntry program of the loop's thread, which knows the same collectors
 */
export async function serveSampler(collectors: Collectors, loopEntry: URL): Promise<void> {
  assert(process.send !== undefined, 'a sampler is started by its agent');
  resetNice();
  const sampler = new Sampler(collectors, new LoopThread(loopEntry));
  let queue = Promise.resolve();
  process.on('message', (message) => {
    queue = queue.then(() => answer(sampler, message));
  });
  const disconnected = once(process, 'disconnect');
  await send({ ready: { schedulingClass: readSchedulingClass(), cpus: allowedCpuList() } });
  await disconnected;
  await Promise.race([sampler.abandon(), delay(CLOSE_TIMEOUT_MS)]);
}

/** What a sampler does for its agent; at most one trial at a time. */
class Sampler {
  readonly #collectors: Collectors;
  readonly #loop: LoopThread;
  #trial: TrialSampling | undefined;

  constructor(collectors: Collectors, loop: LoopThread) {
    this.#collectors = collectors;
    this.#loop = loop;
  }

  async open(params: SamplerParams<'open'>): Promise<SamplerResult<'open'>> {
    if (this.#trial !== undefined) throw wrongState('open', 'another trial is open');
    const { order, roots, maxBytes } = params;
    this.#trial = await TrialSampling.open({
      ...{ order, roots, maxBytes },
      ...{ collectors: this.#collectors, loop: this.#loop },
    });
    return {};
  }

  async begin(): Promise<SamplerResult<'begin'>> {
    if (this.#trial === undefined) throw wrongState('begin', 'no trial is open');
    if (this.#trial.isGoing) throw wrongState('begin', 'it has begun');
    await this.#trial.begin();
    return {};
  }

  async takeSoFar(
    { utcMinusMonoNs }: SamplerParams<'takeSoFar'>,
    take: TakePart,
  ): Promise<SamplerResult<'takeSoFar'>> {
    await this.#going('takeSoFar').takeSoFar(utcMinusMonoNs, take);
    return {};
  }

  async end(
    { finals, utcMinusMonoNs }: SamplerParams<'end'>,
    take: TakePart,
  ): Promise<SamplerResult<'end'>> {
    const trial = this.#going('end');
    this.#trial = undefined;
    return { report: await trial.end(finals, utcMinusMonoNs, take) };
  }

  async abandon(): Promise<SamplerResult<'abandon'>> {
    const trial = this.#trial;
    this.#trial = undefined;
    await trial?.abandon();
    return {};
  }

  #going(method: SamplerMethod): TrialSampling {
    if (this.#trial?.isGoing !== true) throw wrongState(method, 'no trial is sampled');
    return this.#trial;
  }
}

function wrongState(method: SamplerMethod, reason: string): LockstepError {
  return new LockstepError('INTERNAL', `the sampler can't do ${method}: ${reason}`);
}

/** The schemas are checked per method, so the table may be read without its types. */
async function call(
  sampler: Sampler,
  { method, params }: { readonly method: SamplerMethod; readonly params?: unknown },
  take: TakePart,
): Promise<unknown> {
  const schemas = SAMPLER_METHODS[method];
  const checked = schemas.params.parse(params);
  const result = await sampler[method](checked as never, take);
  return schemas.result.encode(result as never);
}

async function answer(sampler: Sampler, message: unknown): Promise<void> {
  const request = SamplerRequest.parse(message);
  const { id } = request;
  const take: TakePart = (part) => send({ id, part });
  try {
    await send({ id, result: await call(sampler, request, take) });
  } catch (error) {
    if (!process.connected) return;
    if (!(error instanceof LockstepError)) {
      process.stderr.write(`sampler: ${request.method}: ${String(error)}\n`);
    }
    await send({ id, failure: toFailure(error) });
  }
}

/** Resolves when the message is on its way, so that no more than one is in memory. */
async function send(message: SamplerReply): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.send?.(message, undefined, undefined, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
