import type { LimitationCode } from '../../schemas/provenance.ts';
import type { Run } from '../../schemas/run.ts';
import { information, warning } from './note.ts';
import type { CellSummary, Note } from './run-summary.ts';

/** Limits under which figures mislead whoever does not know them. */
const MISLEADING: readonly LimitationCode[] = [
  'single-batch',
  'typed-zeros',
  'constant-values',
  'duplicated-rows',
  'mixed-units',
  'failures-missing',
  'dependent-rows',
  'makespan-only',
];

const REMEDIES: Readonly<Record<LimitationCode, string>> = {
  'end-point': 'Compare by ratio within this run, and not by ms with runs of other end points.',
  'one-host': 'Nothing here tells how much machines differ.',
  'no-failures': 'Take failure rates from another source.',
  'failures-missing': 'Ask the source how often it tried.',
  'order-lost': 'Measure again with order: randomised-blocks if a drift matters.',
  'single-batch': 'Measure every cell several times.',
  'dependent-rows': 'Take the intervals as too narrow.',
  'typed-zeros': 'Take these cells as not measured.',
  'constant-values': 'Look at how these values came about.',
  'duplicated-rows': 'Ask the source which rows are measurements.',
  'coarse-resolution': 'Measure with a finer clock before you tell small differences.',
  'mixed-units': 'Correct the units in the file and import it again.',
  'no-latency': 'See the slopes of the memory.',
  'makespan-only': 'Compare makespans only.',
};

/** Where an imported run comes from, and what its data can't support. Nothing for own runs. */
export function provenanceNotes({ provenance }: Pick<Run, 'provenance'>): Note[] {
  if (provenance === undefined) return [];
  const { fileName, source, rows, value, unit, resolution, limitations } = provenance;
  const steps =
    resolution === undefined ? '' : `, in steps of ${Number(resolution.toPrecision(4))}`;
  return [
    information(
      'imported',
      `Imported from ${fileName} (${source}, ${rows} values in ${unit}${steps}). A value is: ` +
        `${value}.`,
      'What the source does not tell is absent.',
    ),
    ...limitations.map(({ code, message }) => {
      const note = MISLEADING.includes(code) ? warning : information;
      return note('imported-limits', message, REMEDIES[code]);
    }),
  ];
}

/** A cell without a failure rate, where the source of the run has no place for failures. */
export function withKnownFailures(
  { provenance }: Pick<Run, 'provenance'>,
  cell: CellSummary,
): CellSummary {
  const isUnknown = provenance?.limitations.some(({ code }) => code === 'no-failures') === true;
  if (!isUnknown) return cell;
  const known: { -readonly [Field in keyof CellSummary]: CellSummary[Field] } = { ...cell };
  delete known.failureRate;
  delete known.failureInterval;
  return known;
}

/** False for an imported run whose values are no times, so that none is missing in its cells. */
export function hasLatency({ provenance }: Pick<Run, 'provenance'>): boolean {
  return provenance?.limitations.some(({ code }) => code === 'no-latency') !== true;
}
