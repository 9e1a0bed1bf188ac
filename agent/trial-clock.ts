import type { ClockEstimate } from '../schemas/clock.ts';
import { errorCodeOf, errorMessageOf, LockstepError } from '../schemas/errors.ts';
import type { ArmRequest } from '../schemas/messages.ts';
import type { InvalidCode, InvalidMark } from '../schemas/result.ts';
import { nanosecondsToMs } from '../schemas/units.ts';
import type { Clock } from './clock/clock.ts';
import { StepWatch } from './clock/step-watch.ts';
import type { FleetInterval, Synchroniser } from './clock/synchroniser.ts';

/** Wait before a second burst of probes after one that failed, ms. */
const PROBE_AGAIN_MS = 250;

/** Waits before further bursts if the bound is over the budget, ms, each varied by half. */
const WIDE_PAUSES_MS = [100, 400, 1500];

/** What an arm request says of the clock. */
export type ClockBudget = Pick<ArmRequest, 'clockBoundBudgetNs' | 'probesMax' | 'probeDelayMs'>;

/** What it is measured with. */
export interface TrialClockPorts {
  readonly clock: Clock;
  readonly synchroniser: Synchroniser;
}

/** The clock of one trial: a burst of probes before it and one after, and a watch for steps. */
export class TrialClock {
  readonly #ports: TrialClockPorts;
  readonly #budget: ClockBudget;
  readonly #before: FleetInterval;
  readonly #steps: StepWatch;

  private constructor(ports: TrialClockPorts, budget: ClockBudget, before: FleetInterval) {
    this.#ports = ports;
    this.#budget = budget;
    this.#before = before;
    this.#steps = new StepWatch(ports.clock);
  }

  /**
   * Synchronises: a burst, unless the last one still serves; more if its bound is over the budget.
   *
   * @throws LockstepError CLOCK_UNSYNCHRONISED if the bound stays over the budget, and what
   * {@link Synchroniser.measure} throws.
   */
  static async open(ports: TrialClockPorts, budget: ClockBudget): Promise<TrialClock> {
    const { synchroniser, clock } = ports;
    const { fresh } = synchroniser;
    if (fresh !== undefined && isWithin(ports, fresh, budget)) {
      return new TrialClock(ports, budget, fresh);
    }
    await clock.sleep(budget.probeDelayMs);
    let latest = await burst(ports, budget);
    for (const pauseMs of WIDE_PAUSES_MS) {
      if (isWithin(ports, latest, budget)) break;
      // A fleet that starts up disturbs itself; not all must come back at the same time.
      await clock.sleep(pauseMs * (0.5 + Math.random()));
      latest = await burst(ports, budget);
    }
    const { boundNs, roundTripMinNs } = estimateNow(ports, latest);
    if (boundNs <= budget.clockBoundBudgetNs) return new TrialClock(ports, budget, latest);
    throw new LockstepError(
      'CLOCK_UNSYNCHRONISED',
      `the clock bound is ${nanosecondsToMs(boundNs)} ms with a round trip of ` +
        `${nanosecondsToMs(roundTripMinNs)} ms; the budget is ` +
        `${nanosecondsToMs(budget.clockBoundBudgetNs)} ms`,
      { hint: 'Raise budget.clockBoundMs in the experiment, or use a faster link.' },
    );
  }

  /** The estimate as it is now. */
  get estimate(): ClockEstimate {
    return estimateNow(this.#ports, this.#before);
  }

  /** An instant of fleet time on the own clock, by the offset as it will be then. */
  toMonotonic(fleetNs: bigint): bigint {
    const { synchroniser } = this.#ports;
    const before = this.#before;
    const roughNs = fleetNs - synchroniser.estimateAfter(before, before.atMonoNs).offsetNs;
    return fleetNs - synchroniser.estimateAfter(before, roughNs).offsetNs;
  }

  /**
   * Makes sure that the clock is still the one that was measured.
   *
   * @param fleetTime the clock that an instant is on. Absent: the one that was measured.
   * @throws LockstepError CLOCK_STEPPED or CLOCK_CHANGED.
   */
  check(fleetTime: string | undefined): void {
    const stepNs = this.stepNs();
    if (stepNs !== 0n) {
      throw new LockstepError(
        'CLOCK_STEPPED',
        `a clock was stepped by ${nanosecondsToMs(stepNs)} ms between arm and go`,
        { hint: 'Let the time daemon settle before a run.' },
      );
    }
    if (fleetTime === undefined || fleetTime === this.#before.fleetTime) return;
    this.#ports.synchroniser.forget();
    throw new LockstepError(
      'CLOCK_CHANGED',
      `go names an instant of ${fleetTime}, but the clock was measured against ` +
        this.#before.fleetTime,
      { hint: 'Only one timekeeper may run.' },
    );
  }

  /** How far the clocks moved against each other since it was opened, ns; 0 if they did not. */
  stepNs(): bigint {
    const stepNs = this.#steps.stepNs();
    if (stepNs !== 0n) this.#ports.synchroniser.forget();
    return stepNs;
  }

  /** The estimate for an instant by the burst before it alone. */
  estimateBefore(atMonoNs: bigint): ClockEstimate {
    return this.#ports.synchroniser.estimateAfter(this.#before, atMonoNs);
  }

  /** Takes a burst after the trial; returns the estimate for an instant in it, and its marks. */
  async bracket(atMonoNs: bigint): Promise<{ clock: ClockEstimate; clockMarks: InvalidMark[] }> {
    const { synchroniser, clock } = this.#ports;
    try {
      await clock.sleep(this.#budget.probeDelayMs);
      const after = await burst(this.#ports, this.#budget);
      const both = synchroniser.estimateBetween(this.#before, after, atMonoNs);
      return { clock: both, clockMarks: [] };
    } catch (error) {
      synchroniser.forget();
      const mark = { code: markOf(error), message: errorMessageOf(error).slice(0, 1024) };
      return { clock: this.estimateBefore(atMonoNs), clockMarks: [mark] };
    }
  }
}

function markOf(error: unknown): InvalidCode {
  const code = errorCodeOf(error);
  if (code === 'CLOCK_STEPPED') return 'clock-step';
  return code === 'CLOCK_CHANGED' ? 'clock-changed' : 'clock-unbracketed';
}

async function burst(ports: TrialClockPorts, { probesMax }: ClockBudget): Promise<FleetInterval> {
  const { synchroniser, clock } = ports;
  try {
    return await synchroniser.measure(probesMax);
  } catch (error) {
    // After a step the next burst is about one clock again.
    if (errorCodeOf(error) === 'CLOCK_STEPPED') synchroniser.forget();
    await clock.sleep(PROBE_AGAIN_MS);
    return synchroniser.measure(probesMax);
  }
}

function isWithin(ports: TrialClockPorts, interval: FleetInterval, budget: ClockBudget): boolean {
  return estimateNow(ports, interval).boundNs <= budget.clockBoundBudgetNs;
}

function estimateNow({ synchroniser, clock }: TrialClockPorts, interval: FleetInterval) {
  return synchroniser.estimateAfter(interval, clock.monotonicNs());
}
