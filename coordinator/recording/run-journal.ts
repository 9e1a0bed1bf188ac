import type { Logger } from 'pino';
import type { Bus } from '../../bus/bus.ts';
import { errorMessageOf } from '../../schemas/errors.ts';
import type { Failure } from '../../schemas/failure.ts';
import type { Plan } from '../../schemas/plan.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import { isEnded, Progress } from '../../schemas/run.ts';
import type { LedgerEvent, Run, RunState } from '../../schemas/run.ts';
import { progressSubject } from '../../schemas/subjects.ts';
import type { RunFolder } from './run-folder.ts';

/** An event without the fields that every event has. */
export type EventBody = LedgerEvent extends infer Event
  ? Event extends LedgerEvent
    ? Omit<Event, 'protocol' | 'runId' | 'atUtcMs'>
    : never
  : never;

/** Puts an event into the ledger; resolves when it is stored. */
export type LedgerAppend = (event: LedgerEvent) => Promise<void>;

/**
 * The record of one run while it goes: each change goes to the ledger, to the run's folder and to
 * whoever watches, in this order.
 */
export class RunJournal {
  readonly folder: RunFolder;
  readonly #bus: Bus;
  readonly #append: LedgerAppend;
  readonly #logger: Logger;
  #run: Run;
  /** How many trials the stop rule expects, and when it ends the run at the latest. */
  #expected: { readonly trials: number; readonly endAtMs: number } | undefined;

  constructor(
    run: Run,
    folder: RunFolder,
    ports: { bus: Bus; append: LedgerAppend; logger: Logger },
  ) {
    this.#run = run;
    this.folder = folder;
    this.#bus = ports.bus;
    this.#append = ports.append;
    this.#logger = ports.logger;
  }

  /** The run as it stands. */
  get run(): Run {
    return this.#run;
  }

  /** Writes the run and its plan for the first time. */
  async begin(plan: Plan): Promise<void> {
    this.#run = { ...this.#run, resultsFile: { lineCheck: 'crc-32' } };
    await this.folder.writePlan(plan);
    await this.folder.writeRun(this.#run);
    await this.event({ event: 'state', state: this.#run.state });
    await this.event({ event: 'planned', trials: plan.trials.length });
  }

  /** Changes the run's state and tells why. */
  async enter(state: RunState, message: string, failure?: Failure): Promise<void> {
    const rest = { ...this.#run };
    delete rest.waitingFor;
    const ended = isEnded(state) ? { endedAtUtcMs: Date.now() } : {};
    this.#run = { ...rest, state, ...ended, ...(failure === undefined ? {} : { failure }) };
    this.tell(message, failure);
    await this.event({
      event: 'state',
      state,
      ...(failure === undefined ? {} : { reason: failure }),
    });
    if (isEnded(state)) await this.#seal();
    await this.folder.writeRun(this.#run);
  }

  /** Changes facts of the run that are no state. */
  async update(change: Partial<Run>): Promise<void> {
    this.#run = { ...this.#run, ...change };
    await this.folder.writeRun(this.#run);
  }

  /** Counts a trial as done, without writing the run's file for each. */
  trialDone(): void {
    this.#run = { ...this.#run, trialsDone: this.#run.trialsDone + 1 };
  }

  /** Adds an event to the ledger and to the run's folder. */
  async event(body: EventBody): Promise<void> {
    const event = {
      protocol: PROTOCOL_VERSION,
      runId: this.#run.runId,
      atUtcMs: Date.now(),
      ...body,
    };
    await this.#append(event);
    await this.folder.appendEvent(event);
  }

  /** Tells whoever watches; nobody may, and nothing depends on it. */
  tell(message: string, failure?: Failure): void {
    this.#publish(message, failure === undefined ? {} : { failure });
  }

  /** Tells what the stop rule decided, which is shown whatever else is. */
  notify(message: string): void {
    this.#publish(message, { isDecision: true });
  }

  /**
   * Says when the run is expected to end, for the estimate of the time left.
   *
   * @param leftMs until the time limit; undefined without one
   */
  expectEnd({ trials, leftMs }: { trials: number; leftMs: number | undefined }): void {
    this.#expected = { trials, endAtMs: performance.now() + (leftMs ?? Number.POSITIVE_INFINITY) };
  }

  #publish(message: string, about: Pick<Progress, 'failure' | 'isDecision'>): void {
    const { runId, state, trialsDone, trialsPlanned } = this.#run;
    const etaMs = this.#etaMs();
    this.#logger.info({ runId, state, trialsDone, trialsPlanned, ...about }, message);
    try {
      this.#bus.publish(progressSubject(runId), Progress, {
        runId,
        state,
        trialsDone,
        trialsPlanned,
        message: message.slice(0, 1024),
        ...about,
        ...(etaMs === undefined ? {} : { etaMs }),
      });
    } catch (error) {
      this.#logger.debug({ runId, error: errorMessageOf(error) }, 'progress not told');
    }
  }

  /** States what the results are now; a run must be able to end even where they can't be read. */
  async #seal(): Promise<void> {
    try {
      this.#run = await this.folder.sealed(this.#run);
    } catch (error) {
      const { runId } = this.#run;
      this.#logger.warn({ runId, reason: errorMessageOf(error) }, 'results can not be read');
    }
  }

  #etaMs(): number | undefined {
    const { state, startedAtUtcMs, trialsDone, trialsPlanned } = this.#run;
    if (startedAtUtcMs === undefined || trialsDone === 0 || isEnded(state)) return undefined;
    const perTrialMs = (Date.now() - startedAtUtcMs) / trialsDone;
    const { trials = trialsPlanned, endAtMs = Number.POSITIVE_INFINITY } = this.#expected ?? {};
    const leftMs = Math.min(perTrialMs * (trials - trialsDone), endAtMs - performance.now());
    return Math.max(0, leftMs);
  }
}
