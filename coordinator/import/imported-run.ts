import type { Plan } from '../../schemas/plan.ts';
import { PROTOCOL_VERSION } from '../../schemas/protocol.ts';
import type { Limitation } from '../../schemas/provenance.ts';
import type { Cell, TrialResult } from '../../schemas/result.ts';
import { RecordedExperiment } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run.ts';
import { VERSION } from '../../schemas/version.ts';
import type { Draft } from './draft.ts';
import { examine } from './findings.ts';
import { importedTrials } from './imported-results.ts';

/** The file that a draft was read from. */
export interface SourceFile {
  readonly fileName: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** Which run is made, and when. */
export interface ImportedRunOptions {
  readonly runId: string;
  readonly atUtcMs: number;
  readonly file: SourceFile;
}

/** A run as its folder holds it. */
export interface ImportedRun {
  readonly run: Run;
  readonly plan: Plan;
  readonly results: readonly TrialResult[];
}

/** Makes a run of what was read from a file. Pure. */
export function importedRun(
  draft: Draft,
  { runId, atUtcMs, file }: ImportedRunOptions,
): ImportedRun {
  const findings = examine(draft);
  const trials = importedTrials(runId, draft, findings);
  const cells = [...new Set(trials.map(({ planned }) => planned.cell))];
  const { fileName, digest, sizeBytes } = file;
  const repetitions = Math.max(...trials.map(({ planned }) => planned.repetition)) + 1;
  const run: Run = {
    protocol: PROTOCOL_VERSION,
    runId,
    experiment: experimentOf(draft, cells, { repetitions, order: findings.order }),
    state: 'completed',
    submittedAtUtcMs: atUtcMs,
    endedAtUtcMs: atUtcMs,
    devices: [],
    functions: [],
    trialsPlanned: trials.length,
    trialsDone: trials.length,
    coordinatorVersion: VERSION,
    provenance: {
      source: draft.source,
      fileName,
      digest,
      sizeBytes,
      rows: draft.values.length,
      value: draft.meaning,
      unit: draft.unit,
      ...(findings.step > 0 ? { resolution: findings.step / draft.unitSize } : {}),
      importedAtUtcMs: atUtcMs,
      importedByVersion: VERSION,
      limitations: [...draft.limitations, ...findings.limitations].map(clipped),
    },
  };
  const plan: Plan = {
    protocol: PROTOCOL_VERSION,
    seed: 0,
    order: findings.order,
    cells,
    skipped: [],
    trials: trials.map(({ planned }) => planned),
  };
  return { run, plan, results: trials.map(({ result }) => result) };
}

function experimentOf(
  { source, question, procedure }: Draft,
  cells: readonly Cell[],
  { repetitions, order }: Pick<RecordedExperiment, 'repetitions' | 'order'>,
): RecordedExperiment {
  return RecordedExperiment.parse({
    experiment: source,
    question,
    procedure: { kind: procedure },
    factors: {
      sandbox: [...new Set(cells.map(({ sandbox }) => sandbox))],
      function: [...new Set(cells.map((cell) => cell.function))],
      instances: [...new Set(cells.map(({ instances }) => instances))],
    },
    repetitions,
    order,
  });
}

function clipped({ code, message }: Limitation): Limitation {
  return { code, message: message.slice(0, 2000) };
}
