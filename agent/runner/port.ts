import type { RunnerMethod, RunnerParams, RunnerResult } from './protocol.ts';

/** A device has reached a named barrier of its trial. */
export interface BarrierArrival {
  readonly trialId: string;
  readonly name: string;
}

/** A measuring process as its agent sees it. */
export interface RunnerPort {
  /** False once it is gone. */
  readonly isAlive: boolean;
  /** Called when the trial that is going has reached a barrier; answered by the call `release`. */
  onBarrier: (arrival: BarrierArrival) => void;
  /**
   * Asks it.
   *
   * @throws LockstepError RUNNER_LOST if it is gone, DEADLINE_EXCEEDED if it does not answer in
   * time, and whatever it answers with.
   */
  call<M extends RunnerMethod>(
    method: M,
    params: RunnerParams<M>,
    timeoutMs: number,
  ): Promise<RunnerResult<M>>;
  /** Lets it clean up and end; kills it if that takes long. */
  close(): Promise<void>;
  /** Ends it, and all that it started, at once. */
  kill(): void;
}
