import { LockstepError } from '../../schemas/errors.ts';
import type { BarrierReply } from '../../schemas/messages.ts';

/** Which trial, or wave of a trial, a barrier belongs to. */
export interface BarrierTrial {
  readonly runId: string;
  readonly trialId: string;
  readonly attempt: number;
}

/** When all go on. */
export type Release = Omit<BarrierReply, 'protocol'>;

/** What the barriers of a trial are opened with. */
export interface BarrierOptions {
  readonly deviceIds: readonly string[];
  /** True if those that are left go on when one can't; else one breaks the barrier for all. */
  readonly goesOnWithout: boolean;
  /** Chooses the instant once all are there. */
  readonly chooseRelease: () => Promise<Release>;
}

interface Meeting {
  readonly arrived: Map<string, PromiseWithResolvers<Release>>;
}

/** The barriers of one trial while it goes. */
export class TrialBarriers {
  readonly #options: BarrierOptions;
  readonly #expected: Set<string>;
  readonly #meetings = new Map<string, Meeting>();
  #broken: LockstepError | undefined;

  constructor(options: BarrierOptions) {
    this.#options = options;
    this.#expected = new Set(options.deviceIds);
  }

  /**
   * A device has reached a barrier; resolves when all have.
   *
   * @throws LockstepError BARRIER_BROKEN if a device will not come, NOT_FOUND if this device is not
   * expected.
   */
  arrive(deviceId: string, name: string): Promise<Release> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (!this.#expected.has(deviceId)) {
      return Promise.reject(
        new LockstepError('NOT_FOUND', `device ${deviceId} is not awaited at barrier ${name}`),
      );
    }
    const meeting: Meeting = this.#meetings.get(name) ?? { arrived: new Map() };
    this.#meetings.set(name, meeting);
    const waiting = Promise.withResolvers<Release>();
    // A device that asks twice lost its first answer.
    meeting.arrived.get(deviceId)?.reject(new LockstepError('CANCELLED', 'asked again'));
    meeting.arrived.set(deviceId, waiting);
    waiting.promise.catch(() => undefined);
    this.#releaseIfComplete(name, meeting);
    return waiting.promise;
  }

  /** A device's part in the trial is over: it will reach no barrier any more. */
  leave(deviceId: string, reason: string): void {
    if (!this.#expected.delete(deviceId)) return;
    const isMissed = [...this.#meetings.values()].some(({ arrived }) => arrived.size > 0);
    if (!this.#options.goesOnWithout) {
      this.#broken ??= new LockstepError(
        'BARRIER_BROKEN',
        `device ${deviceId} will not reach the barrier: ${reason}`,
        { hint: "Look at that device's result." },
      );
      if (isMissed) this.#breakAll(this.#broken);
      return;
    }
    for (const [name, meeting] of this.#meetings) this.#releaseIfComplete(name, meeting);
  }

  /** The trial is over for all: whoever still waits is told. */
  close(): void {
    this.#broken ??= new LockstepError('BARRIER_BROKEN', 'the trial is over');
    this.#breakAll(this.#broken);
  }

  #releaseIfComplete(name: string, meeting: Meeting): void {
    const isComplete = [...this.#expected].every((deviceId) => meeting.arrived.has(deviceId));
    if (!isComplete || meeting.arrived.size === 0) return;
    this.#meetings.delete(name);
    this.#options.chooseRelease().then(
      (release) => {
        for (const waiting of meeting.arrived.values()) waiting.resolve(release);
      },
      (error: unknown) => {
        for (const waiting of meeting.arrived.values()) waiting.reject(error);
      },
    );
  }

  #breakAll(error: LockstepError): void {
    for (const { arrived } of this.#meetings.values()) {
      for (const waiting of arrived.values()) waiting.reject(error);
    }
    this.#meetings.clear();
  }
}

/** Where devices ask: finds the trial that they mean. */
export class BarrierDesk {
  readonly #trials = new Map<string, TrialBarriers>();

  /** Opens the barriers of a trial that goes; close them when it is over. */
  open(trial: BarrierTrial, options: BarrierOptions): TrialBarriers {
    const barriers = new TrialBarriers(options);
    this.#trials.set(keyOf(trial), barriers);
    return barriers;
  }

  /** Closes them. */
  close(trial: BarrierTrial): void {
    this.#trials.get(keyOf(trial))?.close();
    this.#trials.delete(keyOf(trial));
  }

  /** A device asks. @throws LockstepError as {@link TrialBarriers.arrive}. */
  arrive(deviceId: string, trial: BarrierTrial, name: string): Promise<Release> {
    const barriers = this.#trials.get(keyOf(trial));
    if (barriers !== undefined) return barriers.arrive(deviceId, name);
    return Promise.reject(
      new LockstepError('NOT_FOUND', `trial ${trial.trialId} of run ${trial.runId} is not going`),
    );
  }
}

function keyOf({ runId, trialId, attempt }: BarrierTrial): string {
  return `${runId}/${trialId}/${attempt}`;
}
