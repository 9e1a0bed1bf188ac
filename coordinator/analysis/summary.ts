import type { Plan } from '../../schemas/plan.ts';
import type { Cell, TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';
import { CellTally } from './cell-summary.ts';
import { hostsOf } from './co-location.ts';
import { distinctResults } from './distinct-results.ts';
import { groupBy, measureContext, measureTrial, trialsInOrder } from './measured-result.ts';
import type { MeasureContext, MeasuredResult } from './measured-result.ts';
import { MeasureTally } from './measure-tally.ts';
import { MemoryTally } from './memory-slope.ts';
import { METRIC_OF } from './metrics.ts';
import type { NoteSources } from './note.ts';
import { notesOf } from './notes.ts';
import { hasLatency, withKnownFailures } from './provenance-notes.ts';
import { RunConditions } from './run-conditions.ts';
import { SUMMARY_VERSION } from './run-summary.ts';
import type { Exception, RunSummary } from './run-summary.ts';
import { StartTally } from './start-summary.ts';
import { intervalCoverageOf } from './statistics/sequential.ts';
import type { SampleFindings } from './telemetry-summary.ts';
import { TelemetryTally } from './telemetry-tally.ts';

/** More exceptions than this are counted, and not shown one by one. */
export const EXCEPTIONS_SHOWN_MAX = 1000;

/**
 * Puts a run into figures. Pure: the order of the results and copies among them change nothing
 * but the count of copies. Works with no results, and while a run still goes on.
 *
 * @param results of this run as recorded, in any order; those of other runs are left out, counted
 */
export function summarise(run: Run, plan: Plan, results: readonly TrialResult[]): RunSummary {
  const distinct = distinctResults(run.runId, results);
  const fold = new SummaryFold(run, plan);
  for (const trial of trialsInOrder(distinct.results, plan)) fold.add(trial);
  return fold.summary(distinct.counts);
}

/**
 * A run's figures, trial by trial: it keeps numbers and forgets the results, so that a million of
 * them fit into memory.
 */
export class SummaryFold {
  readonly #run: Run;
  readonly #plan: Plan;
  readonly #hosts: RunSummary['hosts'];
  readonly #context: MeasureContext;
  readonly #cells: Map<string, CellTally>;
  readonly #start: StartTally;
  readonly #conditions: RunConditions;
  readonly #measures = new MeasureTally();
  readonly #memory = new MemoryTally();
  readonly #telemetry = new TelemetryTally();
  readonly #trials = { done: 0, stoodDown: 0 };
  readonly #exceptions: Exception[] = [];
  #exceptionCount = 0;

  constructor(run: Run, plan: Plan) {
    this.#run = run;
    this.#plan = plan;
    this.#hosts = hostsOf(run.devices);
    this.#context = measureContext(run, plan, this.#hosts);
    this.#start = new StartTally(run.devices, run.experiment.waves, plan.trials.length);
    this.#conditions = new RunConditions(run.devices.map(({ presence }) => presence.deviceId));
    const skipped = new Set(plan.skipped.map(({ cell }) => cell.id));
    const planned = plan.cells.filter(({ id }) => !skipped.has(id));
    this.#cells = new Map(planned.map((cell) => [cell.id, new CellTally(cell)] as const));
  }

  /**
   * Adds one trial. Trials are added in the order of {@link trialsInOrder}, each once.
   *
   * @param results all of the trial, one per key
   */
  add(results: readonly TrialResult[]): void {
    const measured = measureTrial(results, this.#context);
    this.#countTrial(measured);
    for (const own of groupBy(measured, ({ result }) => result.cell.id).values()) {
      const [first] = own;
      if (first !== undefined) this.#tallyOf(first.result.cell).add(own);
    }
    this.#start.add(measured);
    this.#conditions.add(measured);
    this.#measures.add(measured);
    this.#memory.add(results);
    this.#telemetry.add(results);
    for (const one of measured) this.#addException(one);
  }

  /**
   * The figures of all trials added.
   *
   * @param counts of the results that were read and left out
   * @param damage of the data, in words
   * @param samples what is wrong with them, or that there are none; absent if it is not known
   */
  summary(
    counts: RunSummary['results'],
    damage?: NoteSources['damage'],
    samples?: SampleFindings | 'none',
  ): RunSummary {
    const telemetry = this.#telemetry.summary();
    const findings = samples === 'none' ? this.#telemetry.allMissing() : samples;
    const { experiment } = this.#run;
    const coverage = intervalCoverageOf(experiment);
    const withoutNotes = {
      summaryVersion: SUMMARY_VERSION,
      runId: this.#run.runId,
      experiment: experiment.experiment,
      question: experiment.question,
      state: this.#run.state,
      metric: METRIC_OF[experiment.procedure.kind],
      trials: { planned: this.#plan.trials.length, ...this.#trials },
      results: counts,
      hosts: this.#hosts,
      coverage,
      cells: [...this.#cells.values()].map((tally) =>
        withKnownFailures(this.#run, tally.summary(coverage)),
      ),
      start: this.#start.summary(),
      exceptions: this.#exceptions,
      exceptionCount: this.#exceptionCount,
      setUps: this.#conditions.setUps,
      ...this.#measures.summary(this.#cells.keys(), coverage),
      ...this.#memory.summary(),
      ...(telemetry === undefined ? {} : { telemetry }),
      ...(findings === undefined ? {} : { samples: findings }),
    } as const;
    const sources = { run: this.#run, plan: this.#plan, conditions: this.#conditions };
    const notes = notesOf({
      ...sources,
      summary: withoutNotes,
      ...(damage === undefined ? {} : { damage }),
    });
    return { ...withoutNotes, notes };
  }

  /** Cells come in the order of the plan, then any that only results know. */
  #tallyOf(cell: Cell): CellTally {
    const known = this.#cells.get(cell.id);
    if (known !== undefined) return known;
    const tally = new CellTally(cell);
    this.#cells.set(cell.id, tally);
    return tally;
  }

  #countTrial(measured: readonly MeasuredResult[]): void {
    const wasTried = measured.some(
      ({ result, outcome }) => outcome !== 'stood-down' && result.start !== undefined,
    );
    const isCalledOff = measured.some(({ outcome }) => outcome === 'stood-down');
    if (!wasTried && isCalledOff) this.#trials.stoodDown += 1;
    else this.#trials.done += 1;
  }

  #addException({ result, outcome, planned }: MeasuredResult): void {
    if (outcome === 'kept') return;
    if (outcome === 'unmeasured' && !hasLatency(this.#run)) return;
    this.#exceptionCount += 1;
    if (this.#exceptions.length >= EXCEPTIONS_SHOWN_MAX) return;
    this.#exceptions.push({
      kind: outcome,
      trialId: result.trialId,
      attempt: result.attempt,
      ...(planned === undefined ? {} : { position: planned.position }),
      deviceId: result.deviceId,
      cellId: result.cell.id,
      marks: result.invalid,
      reportedBy: result.reportedBy,
      ...(result.failure === undefined ? {} : { failure: result.failure }),
      failedInstances: result.instances
        .filter(({ status }) => status === 'failed')
        .map(({ index, failure, failedAfter, logTail }) => ({
          index,
          ...(failure === undefined ? {} : { failure }),
          ...(failedAfter === undefined ? {} : { failedAfter }),
          ...(logTail === undefined ? {} : { logTail }),
        })),
    });
  }
}
