import type { Failure } from '../../schemas/failure.ts';
import type { Run } from '../../schemas/run.ts';
import type { MedianRatio } from '../analysis/statistics/ratio-interval.ts';
import { median } from '../analysis/quantile.ts';
import { STUDY_SIZES } from './estimate.ts';
import { languageOf, ratioOf } from './measured-suite.ts';
import type { MeasuredSuite } from './measured-suite.ts';
import { publishedFigure } from './published.ts';
import type { PublishedFigure } from './published.ts';
import { quantityOf } from './quantities.ts';
import type { QuantityName } from './quantities.ts';
import type { CellStatus, ExperimentState, StudyCell } from './study-cell.ts';
import { selectExperiments } from './suite.ts';
import type { Arm, StudyExperiment } from './suite.ts';
import { chooseOne, choosePair, targetOf } from './targets.ts';
import type { Target } from './targets.ts';

/** A cell in one quantity, ours beside the study's. */
export interface StudyRow {
  readonly cellId: string;
  readonly status: CellStatus;
  /** Absent for a cell without values. */
  readonly quantity?: QuantityName;
  /** Why it has no values, or that some trials failed. Absent if there is nothing to say. */
  readonly reason?: string;
  /** The target of the study that it is, and how it differs from that. */
  readonly target?: Target;
  readonly standIn?: string;
  /** How what was done differs from what the study did. Absent if nothing is known to. */
  readonly unlike?: string;
  readonly n: number;
  /** In the unit of the quantity. */
  readonly median?: number;
  readonly unit?: string;
  /** The sandbox in the place of Linux on Firecracker that the ratio is to. */
  readonly reference?: string;
  readonly ratio?: MedianRatio;
  readonly published?: PublishedFigure;
}

/** One experiment in the report. */
export interface StudySection {
  readonly name: string;
  readonly state: ExperimentState;
  readonly runId?: string;
  readonly failure?: Failure;
  readonly counts: Readonly<Record<CellStatus, number>>;
  readonly rows: readonly StudyRow[];
}

/** Everything that was asked for, cell by cell; what was not measured has its reason. Pure. */
export function studySections(
  suite: MeasuredSuite,
  arm: Arm,
  only?: readonly string[],
): StudySection[] {
  return selectExperiments(arm, only).map((entry) => sectionOf(entry, suite));
}

function sectionOf(entry: StudyExperiment, suite: MeasuredSuite): StudySection {
  const measured = suite.experiment(entry.name);
  const cells = measured?.cells ?? [];
  const counts = { filled: 0, failed: 0, unavailable: 0, 'not-run': 0 };
  for (const { status } of cells) counts[status] += 1;
  return {
    name: entry.name,
    state: measured?.state ?? 'not-run',
    ...(measured?.runId === undefined ? {} : { runId: measured.runId }),
    ...(measured?.failure === undefined ? {} : { failure: measured.failure }),
    counts,
    rows: cells.flatMap((cell) => rowsOf(entry, cell, suite)),
  };
}

function rowsOf(entry: StudyExperiment, own: StudyCell, suite: MeasuredSuite): StudyRow[] {
  const { cell, status, reason, attempts, failures } = own;
  const base = { cellId: cell.id, status, ...targetOf(cell.sandbox) };
  const measured = entry.quantities.filter((name) => (own.values[name]?.length ?? 0) > 0);
  if (measured.length === 0) {
    return [{ ...base, ...(reason === undefined ? {} : { reason }), n: 0 }];
  }
  const procedure = suite.experiment(entry.name)?.experiment?.procedure;
  const note = failures === 0 ? {} : { reason: `${failures} of ${attempts} failed or invalid` };
  return measured.map((quantity) => ({
    ...base,
    ...note,
    ...figuresOf({ experiment: entry.name, quantity }, own, suite),
    ...unlikeStudy(procedure, quantity),
  }));
}

function figuresOf(
  { experiment, quantity }: { experiment: string; quantity: QuantityName },
  { cell, values }: StudyCell,
  suite: MeasuredSuite,
): Omit<StudyRow, 'cellId' | 'status'> {
  const own = values[quantity] ?? [];
  const { instances } = cell;
  const asked = { experiment, quantity, language: languageOf(cell.function), instances };
  const value = median(own.map(({ valueNs }) => valueNs));
  const target = targetOf(cell.sandbox)?.target;
  const reference = referenceFor(cell.sandbox, target, suite.has(asked));
  const ratio = reference === undefined ? undefined : ratioOf(own, suite.values(asked, reference));
  const published = target === undefined ? undefined : publishedFigure({ ...asked, target });
  return {
    ...{ quantity, n: own.length, unit: quantityOf(quantity).unit },
    ...(value === undefined ? {} : { median: value }),
    ...(reference === undefined ? {} : { reference }),
    ...(ratio === undefined ? {} : { ratio }),
    ...(published === undefined ? {} : { published }),
  };
}

/** Where less was done than in the study, its figures are no equals of ours. */
function unlikeStudy(
  procedure: Run['experiment']['procedure'] | undefined,
  quantity: QuantityName,
): Pick<StudyRow, 'unlike'> {
  if (procedure?.kind === 'compute') {
    const size = STUDY_SIZES[procedure.work];
    const { n = size } = procedure;
    return n === size ? {} : { unlike: `${procedure.work} of ${n}, in the study of ${size}` };
  }
  if (procedure?.kind === 'throughput' && quantity === 'connection limit') {
    const most = Math.max(...procedure.connections);
    return most >= 4096 ? {} : { unlike: `${most} were the most tried, in the study 4096` };
  }
  if (procedure?.kind === 'unzip' && procedure.archive !== 'stored') {
    return { unlike: 'an archive that is inflated, in the study one that is stored' };
  }
  return {};
}

/** Who stands for Linux beside this sandbox: under the same monitor if that can be. */
function referenceFor(
  sandbox: string,
  target: Target | undefined,
  isMeasured: (sandbox: string) => boolean,
): string | undefined {
  if (target === 'linux') return undefined;
  // What the study had not, such as a bare process, has no monitor either.
  if (target === undefined) return chooseOne('linux', isMeasured)?.sandbox;
  const pair = choosePair(
    target,
    'linux',
    (other) => (other === sandbox || targetOf(other)?.target === 'linux') && isMeasured(other),
  );
  return pair?.[1].sandbox;
}
