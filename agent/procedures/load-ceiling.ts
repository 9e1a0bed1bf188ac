import { errorMessageOf } from '../../schemas/errors.ts';
import { FUNCTION_PORT } from '../sandboxes/function-root.ts';
import type { Slot } from '../sandboxes/network.ts';
import type { Findings } from './findings.ts';
import { CONNECTING_MS } from './load-generator.ts';
import type { ClosedLoad, LoadGenerator, NullServer, OpenLoad } from './load-generator.ts';
import { byteRate, failuresOf, requestRate } from './load-report.ts';
import type { LoadReport } from './load-report.ts';
import type { ProcedureContext } from './procedure.ts';

/** A ceiling takes no longer than this, however long the load itself lasts, ms. */
const CEILING_MS_MAX = 1000;

/** The longest time that a null server may live, ms. */
const LIFE_MS_MAX = 3_600_000;

/**
 * What the load generator reaches against a server that does nothing, in a slot of its own beside
 * those of the sandboxes. A ceiling that can't be measured is no failure of the trial: the reason
 * becomes a condition.
 */
export class LoadCeiling {
  readonly #context: ProcedureContext;
  readonly #generator: LoadGenerator;
  readonly #slot: Slot | undefined;
  #obstacle: string | undefined;
  #server: NullServer | undefined;

  private constructor(context: ProcedureContext, generator: LoadGenerator, slot?: Slot) {
    this.#context = context;
    this.#generator = generator;
    this.#slot = slot;
  }

  /** Does what is not timed: finds a slot. */
  static async prepare(context: ProcedureContext, generator: LoadGenerator): Promise<LoadCeiling> {
    try {
      // The null server is a process, so there must be a namespace for it, also beside taps.
      const [slot] = await context.slots.acquire('veth', 1);
      return new LoadCeiling(context, generator, slot);
    } catch (error) {
      const ceiling = new LoadCeiling(context, generator);
      ceiling.#obstacle = errorMessageOf(error);
      return ceiling;
    }
  }

  /** Starts the null server, with answers of this size. Never rejects. */
  async open(bodyBytes: number, findings: Findings): Promise<void> {
    if (this.#slot !== undefined) {
      try {
        this.#server = await this.#generator.serveNull({
          address: this.#slot.address,
          port: FUNCTION_PORT,
          bodyBytes,
          deadlineMs: LIFE_MS_MAX,
          ...(this.#slot.netnsPath === undefined ? {} : { netnsPath: this.#slot.netnsPath }),
        });
      } catch (error) {
        this.#obstacle = errorMessageOf(error);
      }
    }
    const path =
      this.#context.driver.slotKind === 'veth'
        ? 'a veth slot of its own, as the sandbox has'
        : `a veth slot of its own; the sandbox has a ${this.#context.driver.slotKind}`;
    findings.condition(
      'load-ceiling',
      this.#server === undefined
        ? `not measured: ${this.#obstacle ?? 'no slot'}`
        : `null server in ${path}; the same load just before each, for at most ` +
            `${CEILING_MS_MAX} ms; answers of ${bodyBytes} bytes`,
    );
  }

  /**
   * Measures the ceiling of a load. Undefined if that is not possible.
   *
   * @param timeoutMs how long a request may take.
   * @throws LockstepError CANCELLED.
   */
  async measure(
    load: ClosedLoad | OpenLoad,
    timeoutMs: number,
    place: { readonly labels: Record<string, string>; readonly findings: Findings },
  ): Promise<LoadReport | undefined> {
    if (this.#server === undefined) return undefined;
    const { findings, labels } = place;
    const durationMs = Math.min(load.durationMs, CEILING_MS_MAX);
    const target = {
      addresses: [this.#server.address],
      path: '/',
      timeoutMs,
      deadlineMs: durationMs + timeoutMs + CONNECTING_MS,
    };
    try {
      const shortened = lasting(load, durationMs);
      const report = await this.#generator.run(shortened, target, this.#context.signal);
      findings.measure('load.ceiling_request_rate', requestRate(report), { labels });
      findings.measure('load.ceiling_byte_rate', byteRate(report), { labels });
      if (failuresOf(report) > 0) {
        const first = report.failures.first?.text ?? 'unfinished';
        const text = `${failuresOf(report)} requests failed at ${Object.values(labels).join()}: `;
        findings.condition('load-ceiling-failures', `${text}${first}`);
      }
      return report;
    } catch (error) {
      if (this.#context.signal.aborted) throw error;
      findings.unmeasured('load-ceiling-failures', error);
      return undefined;
    }
  }

  /** Ends the null server. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.close();
  }

  /** Gives the slot back. */
  release(): void {
    if (this.#slot !== undefined) this.#context.slots.release([this.#slot]);
  }
}

/** The same load for another time; a number of requests does not end it. */
function lasting(load: ClosedLoad | OpenLoad, durationMs: number): ClosedLoad | OpenLoad {
  if (load.mode === 'open') return { ...load, durationMs };
  return { mode: 'closed', connections: load.connections, durationMs };
}
