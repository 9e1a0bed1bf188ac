import { Plan } from '../../schemas/plan.ts';
import { TrialResult } from '../../schemas/result.ts';
import { isEnded, Run } from '../../schemas/run.ts';
import { LineSplitter } from '../recording/line-reader.ts';
import type { Line } from '../recording/line-reader.ts';
import { LineDecoder } from '../recording/recorded-lines.ts';
import { EndComparison } from '../recording/results-tally.ts';
import type { ResultsEnd as FileEnd } from '../recording/results-tally.ts';
import { damagedRun } from '../recording/run-damaged.ts';
import { decodeDocument } from '../recording/run-document.ts';
import { planMismatch, ResultFit } from '../recording/run-fit.ts';
import { decodeHead, SAMPLES_FILE } from '../recording/sample-lines.ts';

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
  #hasSamples = false;

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
    if (path === SAMPLES_FILE) return this.#samplesReader();
    return path === RESULTS ? this.#resultsReader() : undefined;
  }

  /** What was in the files, once all are read. */
  end(): { run: Run; plan: Plan | undefined; results: number; failed: number } {
    const run = this.#knownRun('the list of files');
    if (this.#plan === undefined && run.trialsPlanned > 0)
      throw damagedRun('plan.json', 'is missing');
    if (this.#results === 0) compareEnd(RESULTS, new EndComparison(run.resultsFile?.end));
    if (!this.#hasSamples) compareEnd(SAMPLES_FILE, new EndComparison(run.samplesFile?.end));
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
    const decoder = new LineDecoder(TrialResult, run.resultsFile?.lineCheck !== undefined);
    const fit = new ResultFit(run, this.#plan);
    return linesReader(RESULTS, run.resultsFile?.end, (line) => {
      const decoded = decoder.decode(line);
      const wrong = 'damage' in decoded ? decoded.damage : fit.mismatch(decoded.value);
      if (wrong !== undefined) return wrong;
      this.#results += 1;
      if ('value' in decoded && decoded.value.status === 'failed') this.#failed += 1;
      return undefined;
    });
  }

  #samplesReader(): FileReader {
    const run = this.#knownRun(SAMPLES_FILE);
    this.#hasSamples = true;
    return linesReader(SAMPLES_FILE, run.samplesFile?.end, (line) => {
      const decoded = decodeHead(line);
      if ('damage' in decoded) return decoded.damage;
      const { runId } = decoded.value;
      return runId === run.runId ? undefined : `is of run ${runId}`;
    });
  }

  #knownRun(before: string): Run {
    if (this.#run !== undefined) return this.#run;
    throw damagedRun('run.json', `is missing, or comes after ${before}`);
  }
}

/** Reads a file line by line; the first line with which something is wrong is thrown. */
function linesReader(
  name: string,
  end: FileEnd | undefined,
  wrongWith: (line: Line) => string | undefined,
): FileReader {
  const splitter = new LineSplitter();
  const comparison = new EndComparison(end);
  const read = (line: Line): void => {
    if (line.isWhole && line.bytes?.length === 0) return;
    const wrong = wrongWith(line);
    if (wrong !== undefined) throw damagedRun(`${name} line ${line.number}`, wrong);
  };
  return {
    push: (chunk) => {
      comparison.add(chunk);
      splitter.push(chunk).forEach(read);
    },
    end: () => {
      const rest = splitter.finish();
      if (rest !== undefined) read(rest);
      compareEnd(name, comparison);
    },
  };
}

function compareEnd(name: string, comparison: EndComparison): void {
  const difference = comparison.difference();
  if (difference !== undefined) throw damagedRun(name, difference.message);
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
