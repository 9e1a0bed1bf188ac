import { hostFinder, hostsOf } from '../analysis/co-location.ts';
import { measure } from '../analysis/metrics.ts';
import { median } from '../analysis/quantile.ts';
import { outcomeOf } from '../analysis/result-outcome.ts';
import { expectedEnd, lookAt, precisions, stopRuleOf } from '../planning/stop-rule.ts';
import type { StopRule } from '../planning/stop-rule.ts';
import {
  hopelessText,
  lookLine,
  stoppedAtLookText,
  stoppedByTimeText,
} from '../planning/stop-words.ts';
import type { RunJournal } from '../recording/run-journal.ts';
import type { CellPrecision, Look, Stopped } from '../../schemas/look.ts';
import type { PlannedTrial } from '../../schemas/plan.ts';
import type { TrialResult } from '../../schemas/result.ts';

/**
 * Carries out the stop rule of one run: takes in the results of each trial as it ends, and decides
 * after each whole repetition whether the run is over. It keeps one number per trial and host. A
 * result that arrives after its trial was over is in the report, but in no decision.
 */
export class LookKeeper {
  readonly #journal: RunJournal;
  readonly #rule: StopRule | undefined;
  readonly #hostOf: (deviceId: string) => string;
  readonly #valuesByCell = new Map<string, number[]>();
  readonly #timeLimitMs: number | undefined;
  readonly #now: () => number;
  readonly #startedAtMs: number;

  /** @param now a clock that never goes back, ms */
  constructor(
    journal: RunJournal,
    trials: readonly PlannedTrial[],
    now: () => number = () => performance.now(),
  ) {
    const { experiment, devices } = journal.run;
    const limitMinutes = experiment.until?.timeLimitMinutes;
    this.#journal = journal;
    this.#rule = stopRuleOf(experiment);
    this.#hostOf = hostFinder(hostsOf(devices));
    this.#timeLimitMs = limitMinutes === undefined ? undefined : limitMinutes * 60_000;
    this.#now = now;
    this.#startedAtMs = now();
    for (const { cell } of trials) {
      if (!this.#valuesByCell.has(cell.id)) this.#valuesByCell.set(cell.id, []);
    }
    journal.expectEnd({ trials: trials.length, leftMs: this.#leftMs() });
    this.#warnIfHopeless();
  }

  /** Takes in what the devices reported of one trial. */
  note(trial: PlannedTrial, results: readonly TrialResult[]): void {
    if (this.#rule === undefined) return;
    const { kind } = this.#journal.run.experiment.procedure;
    const byHost = new Map<string, number[]>();
    for (const result of results) {
      const { latencyNs } = measure(result, kind);
      if (latencyNs === undefined || outcomeOf(result, latencyNs) !== 'kept') continue;
      const host = this.#hostOf(result.deviceId);
      byHost.set(host, [...(byHost.get(host) ?? []), latencyNs]);
    }
    const values = this.#valuesByCell.get(trial.cell.id);
    for (const sharing of byHost.values()) values?.push(median(sharing) ?? Number.NaN);
  }

  /**
   * Decides after whole repetitions; what it decides is in the ledger and in the run's record when
   * it resolves. Resolves with true if the run is over.
   */
  async isOver(repetitions: number): Promise<boolean> {
    if (this.#rule !== undefined) {
      const look = lookAt(this.#rule, repetitions, this.#valuesByCell);
      if (look !== undefined && (await this.#look(look, this.#rule))) return true;
    }
    const leftMs = this.#leftMs();
    const maximum = this.#journal.run.experiment.repetitions;
    if (leftMs === undefined || leftMs > 0 || repetitions >= maximum) return false;
    await this.#stopByTime(repetitions, maximum);
    return true;
  }

  async #look(look: Look, rule: StopRule): Promise<boolean> {
    await this.#journal.event({ event: 'look', ...look });
    this.#journal.notify(lookLine(look, rule));
    if (look.decision === 'go-on') {
      const trials = expectedEnd(rule, look) * this.#valuesByCell.size;
      this.#journal.expectEnd({ trials, leftMs: this.#leftMs() });
      return false;
    }
    await this.#stop({
      rule: look.cells.every(({ isPrecise }) => isPrecise) ? 'precise' : 'maximum',
      repetitions: look.repetitions,
      look: look.look,
      reason: stoppedAtLookText(look, rule),
      cells: look.cells,
    });
    return true;
  }

  async #stopByTime(repetitions: number, maximum: number): Promise<void> {
    const rule = this.#rule;
    const cells: CellPrecision[] =
      rule === undefined ? [] : precisions(rule, repetitions, this.#valuesByCell);
    const limitMinutes = (this.#timeLimitMs ?? 0) / 60_000;
    const reason = stoppedByTimeText({ limitMinutes, repetitions, maximum }, cells, rule);
    await this.#stop({ rule: 'time-limit', repetitions, reason, cells });
  }

  async #stop(stopped: Stopped): Promise<void> {
    await this.#journal.event({ event: 'stopped', ...stopped });
    await this.#journal.update({ stopped });
    this.#journal.notify(stopped.reason);
  }

  #warnIfHopeless(): void {
    const { devices, experiment } = this.#journal.run;
    const values = hostsOf(devices).length * experiment.repetitions;
    const text = this.#rule === undefined ? undefined : hopelessText(this.#rule, values);
    if (text !== undefined) this.#journal.notify(text);
  }

  #leftMs(): number | undefined {
    if (this.#timeLimitMs === undefined) return undefined;
    return this.#startedAtMs + this.#timeLimitMs - this.#now();
  }
}
