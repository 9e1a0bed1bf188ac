import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError, errorMessageOf } from '../../schemas/errors.ts';
import type { SandboxUsage } from '../../schemas/result.ts';
import type { RemovalReport, Sandbox, SandboxObserver } from './driver.ts';
import { GatedSandbox } from './gated-sandbox.ts';
import type { SandboxParts } from './gated-sandbox.ts';

/** What a driver adds to a gated VMM that is asked by an API. */
export interface VmmSteps {
  /**
   * Asks the VMM for what its command line does not say, once the gate is open. Absent: nothing is
   * asked in the timed part.
   */
  readonly configure?: () => Promise<void>;
  /** Asks for a last reading before the end. What it throws, and how late it is, is dropped. */
  readonly beforeEnd?: () => Promise<void>;
  /** Gives up the API, and all that waits for it. */
  readonly close: () => void;
}

const EXIT_GRACE_MS = 200;
const BEFORE_END_MS = 250;
const HALT_POLL_MS = 100;
const NOTE_CHARACTERS_MAX = 1500;

// The kernel's last words, which it says also under `quiet`.
const HALTED = /(?:reboot: (?:System halted|Power down)|---\[ end Kernel panic[^\n]*\]---)\s*$/;

/**
 * A virtual machine that may have to be told by an API what to run. A refusal, an API that never
 * appears, and a guest that halted without ending its VMM are reported as ends, once.
 */
export class VmmSandbox implements Sandbox {
  readonly #gated: GatedSandbox;
  readonly #observer: SandboxObserver;
  readonly #steps: VmmSteps;
  #configuring: Promise<void> = Promise.resolve();
  #haltWatch: NodeJS.Timeout | undefined;
  #note: string | undefined;
  #hasStarted = false;
  #isEnding = false;
  #isReported = false;
  #removal: Promise<RemovalReport> | undefined;

  constructor(parts: Omit<SandboxParts, 'observer'>, observer: SandboxObserver, steps: VmmSteps) {
    this.#observer = observer;
    this.#steps = steps;
    this.#gated = new GatedSandbox({
      ...parts,
      observer: {
        onPhase: (phase, atMonoNs) => {
          observer.onPhase(phase, atMonoNs);
        },
        onExit: (description) => {
          this.#report(description);
        },
      },
    });
  }

  start(): bigint {
    const atMonoNs = this.#gated.start();
    this.#hasStarted = true;
    this.#configuring = this.#configure();
    this.#haltWatch = setInterval(() => {
      this.#lookForHalt();
    }, HALT_POLL_MS);
    this.#haltWatch.unref();
    return atMonoNs;
  }

  readUsage(): SandboxUsage {
    return this.#gated.readUsage();
  }

  target(): ReturnType<Sandbox['target']> {
    return this.#gated.target();
  }

  onBeforeRemoval(read: () => void): void {
    this.#gated.onBeforeRemoval(read);
  }

  processIds(): number[] {
    return this.#gated.processIds();
  }

  logTail(): string {
    const tail = this.#gated.logTail();
    if (this.#note === undefined) return tail;
    const own = `\nlockstep: ${this.#note}\n`;
    return `${tail.slice(-(16 * 1024 - own.length))}${own}`;
  }

  async stop(timeoutMs: number): Promise<void> {
    await this.#askLast();
    this.#end();
    await this.#gated.stop(timeoutMs);
  }

  async kill(): Promise<void> {
    this.#end();
    await this.#gated.kill();
  }

  remove(): Promise<RemovalReport> {
    this.#removal ??= this.#remove();
    return this.#removal;
  }

  async #remove(): Promise<RemovalReport> {
    await this.#askLast();
    this.#end();
    const report = await this.#gated.remove();
    await this.#configuring;
    return report;
  }

  async #configure(): Promise<void> {
    try {
      await this.#steps.configure?.();
    } catch (error) {
      if (this.#isEnding) return;
      const code = error instanceof LockstepError ? error.code : 'INTERNAL';
      this.#note = `${code}: ${errorMessageOf(error)}`.slice(0, NOTE_CHARACTERS_MAX);
      // A VMM that ended says more by that than the connection that broke with it.
      await delay(EXIT_GRACE_MS);
      this.#report(undefined);
      await this.kill();
    }
  }

  #lookForHalt(): void {
    if (!HALTED.test(this.#gated.logTail().slice(-200))) return;
    this.#report('the guest halted');
    void this.kill();
  }

  #report(description: string | undefined): void {
    clearInterval(this.#haltWatch);
    if (this.#isReported || this.#isEnding) return;
    this.#isReported = true;
    const words = [description, this.#note].filter((text) => text !== undefined);
    this.#observer.onExit(words.join('; '));
  }

  #end(): void {
    this.#isEnding = true;
    clearInterval(this.#haltWatch);
    this.#steps.close();
  }

  async #askLast(): Promise<void> {
    if (!this.#hasStarted || this.#isEnding || this.#isReported) return;
    const asked = this.#steps.beforeEnd?.().catch(() => undefined);
    await Promise.race([asked, delay(BEFORE_END_MS, undefined, { ref: false })]);
  }
}
