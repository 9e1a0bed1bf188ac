import { appendFile, lstat, mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LockstepError } from '../../schemas/errors.ts';
import { Plan } from '../../schemas/plan.ts';
import { TrialResult } from '../../schemas/result.ts';
import { LedgerEvent, Run } from '../../schemas/run.ts';
import { cutTornLine, replaceFile } from './append-file.ts';
import { withCheck } from './checked-json.ts';
import { DataDamage } from './data-damage.ts';
import { readRecordedLines } from './recorded-lines.ts';
import { isMissing, openRegular } from './regular-file.ts';
import { streamRecordedResults } from './result-reading.ts';
import type { ResultReading } from './result-reading.ts';
import { newTallies } from './results-tally.ts';
import { damagedRun } from './run-damaged.ts';
import { readDocument } from './run-document.ts';
import { planMismatch } from './run-fit.ts';
import { SAMPLES_FILE } from './sample-lines.ts';

const RESULTS = 'results.ndjson';
const EVENTS = 'events.ndjson';

/** Everything that a run's folder holds. */
export interface RunRecord {
  readonly run: Run;
  readonly plan: Plan | undefined;
  readonly results: TrialResult[];
  /** What had to be left out of the results. */
  readonly damage: DataDamage;
}

/**
 * The folder of one run: plain files that stand alone. `run.json` and `plan.json` are replaced as
 * a whole; `results.ndjson`, `samples.ndjson` and `events.ndjson` only grow. Whoever reads them
 * needs nothing else. Reading checks what is there; see README.md beside this file for what becomes
 * of damage.
 */
export class RunFolder {
  readonly folder: string;
  /** Files whose last line may be torn, since adding to them failed. */
  readonly #torn = new Set<string>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The folder of a run below a data folder. */
  static of(dataFolder: string, runId: string): RunFolder {
    return new RunFolder(join(dataFolder, 'runs', runId));
  }

  /** The ids of all runs below a data folder, newest first. Empty if there is none yet. */
  static async list(dataFolder: string): Promise<string[]> {
    try {
      const names = await readdir(join(dataFolder, 'runs'), { withFileTypes: true });
      return names
        .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
        .map((entry) => entry.name)
        .toSorted((left, right) => startedPart(right).localeCompare(startedPart(left)));
    } catch (error) {
      if (isMissing(error)) return [];
      throw storageError(error, `cannot list ${join(dataFolder, 'runs')}`);
    }
  }

  /** A file of the folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Replaces `run.json`. */
  async writeRun(run: Run): Promise<void> {
    await this.#replace('run.json', Run.encode(run));
  }

  /** Replaces `plan.json`. */
  async writePlan(plan: Plan): Promise<void> {
    await this.#replace('plan.json', Plan.encode(plan));
  }

  /** Writes a text file of the folder as a whole. */
  async writeText(name: string, text: string): Promise<void> {
    await this.#guard(name, async () => {
      await mkdir(this.folder, { recursive: true });
      await replaceFile(this.path(name), text);
    });
  }

  /** Adds results; resolves when they are on disk. */
  async appendResults(results: readonly TrialResult[]): Promise<void> {
    await this.#append(
      RESULTS,
      results.map((result) => TrialResult.encode(result)),
    );
  }

  /**
   * Adds a block of samples; resolves when it is on disk.
   *
   * @param json the block as JSON on one line
   */
  async appendSamples(json: string): Promise<void> {
    await this.#appendLines(SAMPLES_FILE, [json]);
  }

  /** Adds a ledger event. */
  async appendEvent(event: LedgerEvent): Promise<void> {
    await this.#append(EVENTS, [LedgerEvent.encode(event)]);
  }

  /**
   * The run, with length and digest of its results and samples as they are now: what `run.json`
   * states once the run has ended, so that a reader sees whether some are missing or were changed.
   *
   * @param tallies what was counted before, to count only what is new
   */
  async sealed(run: Run, tallies = newTallies()): Promise<Run> {
    const { results, samples } = tallies;
    await results.readOn(this.path(RESULTS));
    await samples.readOn(this.path(SAMPLES_FILE));
    return {
      ...run,
      resultsFile: { ...run.resultsFile, end: results.end },
      ...(samples.end.bytes === 0 ? {} : { samplesFile: { end: samples.end } }),
    };
  }

  /**
   * @throws LockstepError NOT_FOUND if there is no such run.
   * @throws LockstepError RUN_DAMAGED, PROTOCOL_UNSUPPORTED, PERMISSION_MISSING, STORAGE_FAILED if
   * there is one that can't be read.
   */
  async readRun(): Promise<Run> {
    const path = this.path('run.json');
    const run = await readDocument(path, Run);
    if (run === undefined) throw await this.#missingRun();
    const name = basename(this.folder);
    if (run.runId === name) return run;
    throw damagedRun(path, `is the record of run ${run.runId}, in a folder named ${name}`, {
      hint: 'Give the folder its name back, or restore what was in it.',
    });
  }

  /**
   * The plan of the run; undefined if the run was never planned.
   *
   * @throws LockstepError RUN_DAMAGED, also if the plan can't be that of the run;
   * PROTOCOL_UNSUPPORTED, PERMISSION_MISSING, STORAGE_FAILED.
   */
  async readPlan(run: Run): Promise<Plan | undefined> {
    const path = this.path('plan.json');
    const plan = await readDocument(path, Plan);
    // It is written before the run's record is, so it can't be that it is not there yet.
    if (plan === undefined && run.trialsPlanned > 0) throw damagedRun(path, 'is missing');
    if (plan === undefined) return undefined;
    const mismatch = planMismatch(run, plan);
    if (mismatch !== undefined) {
      throw damagedRun(path, `is not the plan of run ${run.runId}: ${mismatch}`);
    }
    return plan;
  }

  /** Everything of the run; what is damaged of its results is left out and told. */
  async read(): Promise<RunRecord> {
    const run = await this.readRun();
    const plan = await this.readPlan(run);
    const damage = new DataDamage();
    return { run, plan, results: await this.readResults({ run, plan, damage }), damage };
  }

  /** All results so far, as {@link streamResults}. */
  async readResults(reading: ResultReading = {}): Promise<TrialResult[]> {
    const results: TrialResult[] = [];
    for await (const result of this.streamResults(reading)) results.push(result);
    return results;
  }

  /**
   * The results so far, one after the other, so that their file may be larger than memory; what is
   * damaged is left out, as {@link streamRecordedResults} says.
   */
  streamResults(reading: ResultReading = {}): AsyncGenerator<TrialResult> {
    return streamRecordedResults(this.path(RESULTS), reading);
  }

  /**
   * The ledger so far. A torn last line does not count.
   *
   * @throws LockstepError RUN_DAMAGED at the first damaged line.
   */
  async readEvents(): Promise<LedgerEvent[]> {
    const file = await openRegular(this.path(EVENTS));
    if (file === undefined) return [];
    const events: LedgerEvent[] = [];
    const reading = { mustBeChecked: false, mayGrow: true };
    try {
      for await (const batch of readRecordedLines(file, LedgerEvent, reading)) {
        for (const line of batch) {
          if ('value' in line) events.push(line.value);
          else throw damagedRun(`${this.path(EVENTS)} line ${line.number}`, line.damage);
        }
      }
    } finally {
      await file.close();
    }
    return events;
  }

  /** Cuts a torn last line off, so that what is added next begins on a line of its own. */
  async heal(): Promise<void> {
    for (const name of [RESULTS, EVENTS]) {
      await this.#guard(name, () => cutTornLine(this.path(name)));
    }
  }

  /** The same for samples, which are added to by themselves. */
  async healSamples(): Promise<void> {
    await this.#guard(SAMPLES_FILE, () => cutTornLine(this.path(SAMPLES_FILE)));
  }

  /** Why there is no `run.json`: no such run, or one that has lost it. */
  async #missingRun(): Promise<LockstepError> {
    try {
      await lstat(this.folder);
    } catch {
      return new LockstepError('NOT_FOUND', `there is no ${this.folder}`, {
        hint: 'List the runs with: lockstep runs',
      });
    }
    return damagedRun(this.path('run.json'), 'is missing');
  }

  async #replace(name: string, value: unknown): Promise<void> {
    await this.writeText(name, `${withCheck(JSON.stringify(value, null, 2))}\n`);
  }

  async #append(name: string, values: readonly unknown[]): Promise<void> {
    await this.#appendLines(
      name,
      values.map((value) => JSON.stringify(value)),
    );
  }

  async #appendLines(name: string, texts: readonly string[]): Promise<void> {
    await this.#guard(name, async () => {
      await mkdir(this.folder, { recursive: true });
      if (this.#torn.has(name)) await this.#cutTorn(name);
      const text = texts.map((json) => `${withCheck(json)}\n`).join('');
      try {
        await appendFile(this.path(name), text, { flush: true });
      } catch (error) {
        // A full disk takes a part of a line; what comes next must not continue it.
        this.#torn.add(name);
        await this.#cutTorn(name).catch(() => undefined);
        throw error;
      }
    });
  }

  async #cutTorn(name: string): Promise<void> {
    await cutTornLine(this.path(name));
    this.#torn.delete(name);
  }

  async #guard(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw storageError(error, `cannot write ${this.path(name)}`);
    }
  }
}

/** Maps an error of the file system to STORAGE_FULL or STORAGE_FAILED. */
export function storageError(cause: unknown, what: string): LockstepError {
  if (cause instanceof LockstepError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new LockstepError('STORAGE_FULL', `${what}: the disk is full`, {
      cause,
      hint: 'Free some space; what was reported so far is kept.',
    });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LockstepError('STORAGE_FAILED', `${what}: ${reason}`, { cause });
}

/** The part of a run id that names its start, for sorting; what has none is the oldest. */
function startedPart(runId: string): string {
  return /\d{8}-\d{6}.*$/.exec(runId)?.[0] ?? '';
}
