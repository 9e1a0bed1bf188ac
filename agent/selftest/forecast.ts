import type { SandboxName } from '../../schemas/sandbox.ts';
import type { SelftestEvent, SelftestSandbox } from '../../schemas/selftest.ts';
import { checkTitles } from './contract.ts';

/** Time of a check until the first one has ended, ms. */
const CHECK_MS = 500;

type Progress = Extract<SelftestEvent, { event: 'progress' }>;

/** Says when a self-test will be through: by the checks so far, and by the time for trials. */
export class Forecast {
  readonly #checksOf: Map<SandboxName, number>;
  readonly #beginMs = performance.now();
  readonly #trialsMs: number;
  readonly #total: number;
  #through = 0;
  #begun = 0;
  #trialsUsedMs = 0;
  #toTry = 0;
  #tried = 0;
  #isInTrials = false;

  /** @param trialsMs time for all trials, ms. */
  constructor(sandboxes: readonly SandboxName[], trialsMs: number) {
    this.#checksOf = new Map(sandboxes.map((name) => [name, checkTitles(name).length]));
    this.#trialsMs = trialsMs;
    this.#total = this.#checksOf.size;
  }

  /** Time for all trials, ms. */
  get trialsMs(): number {
    return this.#trialsMs;
  }

  /** A check begins. */
  beginCheck(name: SandboxName): void {
    this.#begun += 1;
    this.#checksOf.set(name, Math.max(0, (this.#checksOf.get(name) ?? 0) - 1));
  }

  /** A kind is through with its checks, or it is not there. */
  endContract({ name, result }: SelftestSandbox): void {
    this.#through += 1;
    this.#checksOf.set(name, 0);
    if (result !== 'unavailable') this.#toTry += 1;
    this.#isInTrials = this.#through === this.#total;
  }

  /** A kind is through with its trials. */
  endTrials(budgetMs: number): void {
    this.#tried += 1;
    this.#trialsUsedMs += budgetMs;
  }

  /** How far it is. */
  progress(sandbox: SandboxName): Omit<Progress, 'part' | 'what'> {
    const checksLeft = [...this.#checksOf.values()].reduce((sum, count) => sum + count, 0);
    const checkMs = this.#begun > 1 ? (performance.now() - this.#beginMs) / this.#begun : CHECK_MS;
    const trialsLeftMs = Math.max(0, this.#trialsMs - this.#trialsUsedMs);
    return {
      event: 'progress',
      sandbox,
      done: this.#isInTrials ? this.#tried : this.#through,
      total: this.#isInTrials ? this.#toTry : this.#total,
      leftMs: checksLeft * checkMs + trialsLeftMs,
    };
  }
}
