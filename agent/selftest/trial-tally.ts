import { LockstepError } from '../../schemas/errors.ts';
import type { Failure } from '../../schemas/failure.ts';
import { toFailure } from '../../schemas/failure.ts';
import type { MeasureName } from '../../schemas/measurement.ts';
import type { Instance } from '../../schemas/result.ts';
import type { SelftestTrials, Spread } from '../../schemas/selftest.ts';
import type { RunnerResult } from '../runner/protocol.ts';
import { spreadOf } from './spread.ts';
import type { PlannedTrial } from './trial-plan.ts';

/** Counts what came out of the trials of one procedure. */
export class TrialTally {
  readonly #planned: PlannedTrial;
  readonly #toReadyMs: number[] = [];
  readonly #toResponseMs: number[] = [];
  readonly #values = new Map<MeasureName, number[]>();
  #conditions: Record<string, string> | undefined;
  #failure: Failure | undefined;
  #trials = 0;
  #failed = 0;
  #durationMs = 0;

  constructor(planned: PlannedTrial) {
    this.#planned = planned;
  }

  /** Takes up a trial that ended. */
  add(outcome: RunnerResult<'start'>, durationMs: number): void {
    this.#trials += 1;
    this.#durationMs += durationMs;
    this.#conditions = outcome.conditions;
    const failure = failureOf(outcome);
    if (failure !== undefined) {
      this.#failed += 1;
      this.#failure ??= failure;
    }
    for (const { phases } of outcome.instances) {
      if (phases.request === undefined) continue;
      if (phases.ready !== undefined) this.#toReadyMs.push(toMs(phases.ready - phases.request));
      if (phases.lastByte !== undefined) {
        this.#toResponseMs.push(toMs(phases.lastByte - phases.request));
      }
    }
    for (const { measure, value } of outcome.measurements ?? []) {
      this.#values.set(measure, [...(this.#values.get(measure) ?? []), value]);
    }
  }

  /** Takes up a trial that could not be brought to its end. */
  fail(error: unknown, durationMs: number): void {
    this.#trials += 1;
    this.#failed += 1;
    this.#durationMs += durationMs;
    this.#failure ??= toFailure(error);
  }

  /** What it comes to. */
  result(): SelftestTrials {
    const { functionName, instances, procedure } = this.#planned;
    const toReadyMs = spreadOf(this.#toReadyMs);
    const toResponseMs = spreadOf(this.#toResponseMs);
    const measurements: Partial<Record<MeasureName, Spread>> = {};
    for (const [measure, values] of this.#values) {
      const spread = spreadOf(values);
      if (spread !== undefined) measurements[measure] = spread;
    }
    return {
      procedure: procedure.kind,
      function: functionName,
      instances,
      result: this.#failed > 0 ? 'fail' : this.#trials > 0 ? 'pass' : 'not-run',
      trials: this.#trials,
      failed: this.#failed,
      durationMs: this.#durationMs,
      ...(toReadyMs === undefined ? {} : { toReadyMs }),
      ...(toResponseMs === undefined ? {} : { toResponseMs }),
      ...(this.#values.size === 0 ? {} : { measurements }),
      ...(this.#conditions === undefined ? {} : { conditions: this.#conditions }),
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    };
  }
}

function failureOf({ instances, leftovers }: RunnerResult<'start'>): Failure | undefined {
  const failed = instances.find(({ status }) => status === 'failed');
  if (failed?.failure !== undefined) return withLog(failed.failure, failed);
  if (leftovers.length === 0) return undefined;
  const left = leftovers.join('; ').slice(0, 1000);
  return toFailure(new LockstepError('SANDBOX_FAILED', `it left ${left}`));
}

function withLog(failure: Failure, { logTail = '' }: Instance): Failure {
  const lastLine = logTail.trim().split('\n').at(-1) ?? '';
  if (lastLine === '') return failure;
  return { ...failure, message: `${failure.message}; it printed: ${lastLine.slice(0, 500)}` };
}

function toMs(durationNs: bigint): number {
  return Number(durationNs) / 1e6;
}
