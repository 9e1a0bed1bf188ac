import { toFailure } from '../../schemas/failure.ts';
import type { Instance } from '../../schemas/result.ts';
import type { FinalReading, SandboxTarget } from '../collectors/collector.ts';
import type { Slot } from '../sandboxes/network.ts';
import type { InstanceContext, InstanceLife } from './instance-life.ts';
import type { ProcedureContext } from './procedure.ts';
import { answerEach, createLives, removeLives } from './sandbox-batch.ts';

/** What is left of the sandboxes when they are removed. */
export interface RemovedSandboxes {
  readonly instances: Instance[];
  readonly leftovers: string[];
  readonly finals: FinalReading[];
}

/**
 * Sandboxes that are added while their trial goes. The network places of all are made beforehand.
 * Those that are created before the start can be sampled, the others can't.
 */
export class GrowingSandboxes {
  readonly #context: ProcedureContext;
  readonly #slots: readonly Slot[];
  readonly #lives: InstanceLife[] = [];
  /** Those that could not be created. */
  readonly #unborn: Instance[] = [];
  #waiting: InstanceLife[] = [];
  #hasStarted = false;

  private constructor(context: ProcedureContext, slots: readonly Slot[]) {
    this.#context = context;
    this.#slots = slots;
  }

  /** @throws LockstepError SANDBOX_UNAVAILABLE if the places can't be made. */
  static async open(context: ProcedureContext, most: number): Promise<GrowingSandboxes> {
    return new GrowingSandboxes(
      context,
      await context.slots.acquire(context.driver.slotKind, most),
    );
  }

  /** All that were created. */
  get lives(): readonly InstanceLife[] {
    return this.#lives;
  }

  /** What can be sampled of those that are there. */
  targets(): SandboxTarget[] {
    return this.#lives.map((life) => life.target());
  }

  /**
   * Creates more; they wait at their gates until {@link startAdded}.
   *
   * @throws LockstepError whatever the driver throws.
   */
  async add(count: number): Promise<void> {
    const first = this.#lives.length;
    const slots = this.#slots.slice(first, first + count);
    this.#waiting = await createLives(this.#instanceContext(), slots, first);
    this.#lives.push(...this.#waiting);
  }

  /**
   * Starts those that were added last, waits until they are ready and calls each once. Never
   * rejects. Returns whether all are well.
   */
  async startAdded(requestAtMonoNs: bigint): Promise<boolean> {
    this.#hasStarted = true;
    const added = this.#waiting;
    this.#waiting = [];
    for (const life of added) life.release(requestAtMonoNs);
    await answerEach(added);
    return added.every((life) => life.isWell);
  }

  /** Adds and starts more. A failure to create them is kept as a failed sandbox. Never rejects. */
  async addAndStart(count: number): Promise<boolean> {
    try {
      await this.add(count);
    } catch (error) {
      const index = this.#lives.length;
      const address = this.#slots[index]?.address ?? '';
      const failure = toFailure(error);
      this.#unborn.push({ index, address, status: 'failed', failure, phases: {} });
      return false;
    }
    return this.startAdded(process.hrtime.bigint());
  }

  /** Fails all that are well. */
  failAll(error: unknown): void {
    for (const life of this.#lives) life.fail(error);
  }

  /** Looks whether one has ended by itself, and fails it. Returns whether all are well. */
  checkAlive(): boolean {
    return this.#lives.map((life) => life.checkAlive()).every(Boolean);
  }

  /** Removes all and gives their network places back. Never rejects. */
  async remove(): Promise<RemovedSandboxes> {
    for (const life of this.#lives) life.readUsage();
    const leftovers = await removeLives(this.#lives);
    this.#context.slots.release(this.#slots);
    return {
      instances: [...this.#lives.map((life) => life.record()), ...this.#unborn],
      leftovers,
      finals: this.#lives.flatMap((life) => life.finals),
    };
  }

  // Nobody samples those that come later, so nobody reads a last time what they used.
  #instanceContext(): InstanceContext {
    return this.#hasStarted ? { ...this.#context, readFinal: () => [] } : this.#context;
  }
}
