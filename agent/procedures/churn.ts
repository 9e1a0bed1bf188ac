import { errorCodeOf } from '../../schemas/errors.ts';
import type { ErrorCode } from '../../schemas/errors.ts';
import { toFailure } from '../../schemas/failure.ts';
import type { Cell, Instance } from '../../schemas/result.ts';
import type { FinalReading } from '../collectors/collector.ts';
import type { Slot } from '../sandboxes/network.ts';
import { Findings } from './findings.ts';
import type { InstanceLife } from './instance-life.ts';
import { parametersOf } from './procedure.ts';
import type { ArmedProcedure, Procedure, ProcedureContext, ProcedureOutcome } from './procedure.ts';
import { answerEach, createLives, removeLives } from './sandbox-batch.ts';

/**
 * Sandboxes are started, called and removed again and again, in the same places. One that fails is
 * counted, and the next cycle follows. Its instances are kept in order as far as a result has room:
 * of the well ones the first, of the failed ones some more, with their logs. Only the sandboxes of
 * the first cycle are sampled.
 */
export const churn: Procedure = { kind: 'churn', arm };

/** Sandboxes of which a record is kept, beside those of the first cycle. */
const WELL_KEPT = 256;
const FAILED_KEPT = 32;

/** After so many logs, which may have 16 KiB each, a result has no room for more. */
const LOGS_KEPT = 64;
const LEFTOVERS_KEPT = 64;

async function arm(context: ProcedureContext, cell: Cell): Promise<ArmedProcedure> {
  const slots = await context.slots.acquire(context.driver.slotKind, cell.instances);
  let first: InstanceLife[] = [];
  const standDown = async (): Promise<string[]> => {
    const leftovers = await removeLives(first);
    context.slots.release(slots);
    return leftovers;
  };
  try {
    first = await createLives(context, slots);
  } catch (error) {
    await standDown();
    throw error;
  }
  return {
    targets: first.map((life) => life.target()),
    start: async (requestAtMonoNs) => {
      const cycles = new Cycles(context, slots);
      await cycles.run(first, requestAtMonoNs);
      context.slots.release(slots);
      return cycles.outcome();
    },
    standDown,
  };
}

class Cycles {
  readonly #context: ProcedureContext;
  readonly #slots: readonly Slot[];
  readonly #findings = new Findings();
  readonly #kept: Instance[] = [];
  readonly #leftovers: string[] = [];
  readonly #finals: FinalReading[] = [];
  readonly #failedIn = new Map<ErrorCode, number[]>();
  #sandboxes = 0;
  #failedKept = 0;

  constructor(context: ProcedureContext, slots: readonly Slot[]) {
    this.#context = context;
    this.#slots = slots;
  }

  /** Never rejects. */
  async run(first: InstanceLife[], requestAtMonoNs: bigint): Promise<void> {
    // Nobody samples the later ones, so nobody reads a last time what they used.
    const context = { ...this.#context, readFinal: () => [] };
    const { cycles } = parametersOf(this.#context, 'churn');
    await this.#cycle(1, first, requestAtMonoNs);
    for (let cycle = 2; cycle <= cycles && !context.signal.aborted; cycle += 1) {
      let lives: InstanceLife[];
      try {
        lives = await createLives(context, this.#slots);
      } catch (error) {
        this.#noteUnborn(cycle, error);
        continue;
      }
      await this.#cycle(cycle, lives, process.hrtime.bigint());
    }
  }

  outcome(): ProcedureOutcome {
    for (const [code, cycles] of this.#failedIn) {
      const text = `${cycles.length} in all; in cycles: ${[...new Set(cycles)].join(', ')}`;
      this.#findings.condition(`failures-${code}`, text);
    }
    if (this.#kept.length < this.#sandboxes) {
      const text = `${this.#kept.length} of ${this.#sandboxes} sandboxes`;
      this.#findings.condition('instances-kept', text);
    }
    return {
      instances: this.#kept,
      leftovers: this.#leftovers,
      finals: this.#finals,
      ...this.#findings.toOutcome(),
    };
  }

  async #cycle(cycle: number, lives: InstanceLife[], requestAtMonoNs: bigint): Promise<void> {
    for (const life of lives) life.release(requestAtMonoNs);
    await answerEach(lives);
    for (const life of lives) life.readUsage();
    const leftovers = await removeLives(lives);
    const durationNs = process.hrtime.bigint() - requestAtMonoNs;
    const room = LEFTOVERS_KEPT - this.#leftovers.length;
    this.#leftovers.push(...leftovers.slice(0, Math.max(0, room)));
    this.#finals.push(...lives.flatMap((life) => life.finals));
    const records = lives.map((life) => life.record());
    const failed = records.filter(({ status }) => status === 'failed');
    for (const record of records) this.#keep(record);
    // What was called off is neither a failure of a sandbox nor a cycle.
    if (this.#context.signal.aborted) return;
    for (const { failure } of failed) this.#noteFailed(cycle, failure?.code ?? 'INTERNAL');
    const labels = { cycle: String(cycle) };
    this.#findings.measure('churn.failures', failed.length, { labels });
    if (failed.length > 0) return;
    this.#findings.measure('churn.cycle_duration', Number(durationNs), { labels });
  }

  /** No sandbox of a cycle was started, because one could not be created. */
  #noteUnborn(cycle: number, error: unknown): void {
    const failure = toFailure(error);
    for (const { address } of this.#slots) {
      this.#keep({ index: 0, address, status: 'failed', failure, phases: {} });
      this.#noteFailed(cycle, errorCodeOf(error));
    }
    const labels = { cycle: String(cycle) };
    this.#findings.measure('churn.failures', this.#slots.length, { labels });
  }

  #noteFailed(cycle: number, code: ErrorCode): void {
    this.#failedIn.set(code, [...(this.#failedIn.get(code) ?? []), cycle]);
  }

  // Those of the first cycle keep their numbers, by which they were sampled.
  #keep({ logTail, ...record }: Instance): void {
    this.#sandboxes += 1;
    const isFailed = record.status === 'failed';
    if (this.#sandboxes > this.#slots.length) {
      const wellKept = this.#kept.length - this.#failedKept;
      if (isFailed ? this.#failedKept >= FAILED_KEPT : wellKept >= WELL_KEPT) return;
    }
    if (isFailed) this.#failedKept += 1;
    const log = logTail === undefined || this.#failedKept > LOGS_KEPT ? {} : { logTail };
    this.#kept.push({ ...record, ...log, index: this.#kept.length });
  }
}
