import { Plan } from '../../schemas/plan.ts';
import { TrialResult } from '../../schemas/result.ts';
import { isEnded, Run } from '../../schemas/run.ts';
import { LineSplitter } from '../recording/line-reader.ts';
import type { Line } from '../recording/line-reader.ts';
import { LineDecoder } from '../recording/recorded-lines.ts';
import { EndComparison } from '../recording/results-tally.ts';
import { damagedRun } from '../recording/run-damaged.ts';
import { decodeDocument } from '../recording/run-document.ts';
import { planMismatch, ResultFit } from '../recording/run-fit.ts';

/** Largest `run.json` or `plan.json` that is read, bytes: what a string can hold. */
const DOCUMENT_BYTES_MAX = 500_000_000;

const RESULTS = 'results.ndjson';

/** Takes the bytes of one file, in order, then its end. */
export interface FileReader {
  push(chunk: Buffer): void;
  end(): void;
}

/**
 * Reads the files of a run while they stream past, and holds each to its schema and to the others.
 * All of its methods throw LockstepError RUN_DAMAGED or PROTOCOL_UNSUPPORTED.
 */
export class ArchiveContent {
  readonly #runId: string;
  #run: Run | undefined;
  #plan: Plan | undefined;
  #results = 0;
  #failed = 0;

  /** @param runId of which run the files must be */
  constructor(runId: string) {
    this.#runId = runId;
  }

  /** Who reads a file. Undefined for files whose content is not judged. */
  readerOf(path: string, bytes: number): FileReader | undefined {
    if (path === 'run.json')
      return documentReader(path, bytes, (all) => {
        this.#readRun(all);
      });
    if (path === 'plan.json')
      return documentReader(path, bytes, (all) => {
        this.#readPlan(all);
      });
    return path === RESULTS ? this.#resultsReader() : undefined;
  }

  /** What was in the files, once all are read. */
  end(): { run: Run; plan: Plan | undefined; results: number; failed: number } {
    const run = this.#knownRun('the list of files');
    if (this.#plan === undefined && run.trialsPlanned > 0)
      throw damagedRun('plan.json', 'is missing');
    if (this.#results === 0) compareEnd(new EndComparison(run.resultsFile?.end));
    return { run, plan: this.#plan, results: this.#results, failed: this.#failed };
  }

  #readRun(bytes: Buffer): void {
    const run = decodeDocument(bytes, Run, 'run.json');
    if (run.runId !== this.#runId) {
      throw damagedRun('run.json', `is of run ${run.runId}, and the archive of ${this.#runId}`);
    }
    if (!isEnded(run.state)) throw damagedRun('run.json', `says that the run is ${run.state}`);
    this.#run = run;
  }

  #readPlan(bytes: Buffer): void {
    const plan = decodeDocument(bytes, Plan, 'plan.json');
    const run = this.#knownRun('plan.json');
    const mismatch = planMismatch(run, plan);
    if (mismatch !== undefined) {
      throw damagedRun('plan.json', `is not the plan of run ${run.runId}: ${mismatch}`);
    }
    this.#plan = plan;
  }

  #resultsReader(): FileReader {
    const run = this.#knownRun(RESULTS);
    const splitter = new LineSplitter();
    const decoder = new LineDecoder(TrialResult, run.resultsFile?.lineCheck !== undefined);
    const fit = new ResultFit(run, this.#plan);
    const comparison = new EndComparison(run.resultsFile?.end);
    const read = (line: Line): void => {
      if (line.isWhole && line.bytes?.length === 0) return;
      const decoded = decoder.decode(line);
      const wrong = 'damage' in decoded ? decoded.damage : fit.mismatch(decoded.value);
      if (wrong !== undefined) throw damagedRun(`${RESULTS} line ${line.number}`, wrong);
      this.#results += 1;
      if ('value' in decoded && decoded.value.status === 'failed') this.#failed += 1;
    };
    return {
      push: (chunk) => {
        comparison.add(chunk);
        splitter.push(chunk).forEach(read);
      },
      end: () => {
        const rest = splitter.finish();
        if (rest !== undefined) read(rest);
        compareEnd(comparison);
      },
    };
  }

  #knownRun(before: string): Run {
    if (this.#run !== undefined) return this.#run;
    throw damagedRun('run.json', `is missing, or comes after ${before}`);
  }
}

function compareEnd(comparison: EndComparison): void {
  const difference = comparison.difference();
  if (difference !== undefined) throw damagedRun(RESULTS, difference.message);
}

function documentReader(path: string, bytes: number, read: (all: Buffer) => void): FileReader {
  if (bytes > DOCUMENT_BYTES_MAX) {
    throw damagedRun(path, `has ${bytes} bytes; at most ${DOCUMENT_BYTES_MAX} are read`);
  }
  const chunks: Buffer[] = [];
  return {
    push: (chunk) => {
      chunks.push(chunk);
    },
    end: () => {
      read(Buffer.concat(chunks));
    },
  };
}
