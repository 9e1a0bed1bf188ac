import type { Limitation } from '../../schemas/provenance.ts';
import {
  coarseFaults,
  constantFaults,
  dependenceFaults,
  missingFaults,
  unitFaults,
} from './cell-faults.ts';
import { cellList, stepOf, valuesByCell } from './cell-values.ts';
import type { CellValues } from './cell-values.ts';
import type { Draft } from './draft.ts';
import { findDuplication } from './duplicated-rows.ts';
import { rowOrderOf } from './row-order.ts';

/** What was found out about the values of a source. */
export interface Findings {
  readonly limitations: readonly Limitation[];
  /** The step of all values, ns or bytes. 0 if all are 0. */
  readonly step: number;
  readonly order: 'fixed' | 'unknown';
  /** Places of values that repeat others. */
  readonly repeated: ReadonlySet<number>;
  /** Ids of the cells whose values are all 0. */
  readonly unmeasuredCells: ReadonlySet<string>;
}

/** Looks for what the values of a source can't support. Pure. */
export function examine(draft: Pick<Draft, 'values' | 'shape' | 'order'>): Findings {
  const measuredPlaces = draft.values.flatMap(({ failure }, place) =>
    failure === undefined ? [place] : [],
  );
  const measured = draft.values.filter(({ failure }) => failure === undefined);
  const cells = valuesByCell(measured);
  const step = stepOf(measured.map(({ value }) => value));
  const order = orderFindings(draft);
  // Times of one batch are no sample of one thing, and memory is a series.
  const isSample = draft.shape === 'sandbox' || draft.shape === 'batch-end';
  const duplicates = isSample ? duplicateFindings(cells, step) : { limitations: [], indices: [] };
  const repeated = new Set(duplicates.indices.flatMap((index) => measuredPlaces[index] ?? []));
  const limitations = [
    ...constantFaults(cells),
    ...duplicates.limitations,
    ...unitFaults(cells),
    ...missingFaults(draft.shape === 'batch-of-rows' ? [] : valuesByCell(draft.values)),
    ...incompleteBatches(draft.shape === 'batch-of-rows' ? cells : []),
    ...singleBatches(draft.shape, valuesByCell(draft.values)),
    ...(isSample ? [...coarseFaults(cells, step), ...dependenceFaults(cells)] : []),
    ...order.limitations,
  ];
  const zeros = cells.filter(({ values }) => values.every((value) => value === 0));
  return {
    limitations,
    step,
    order: order.order,
    repeated,
    unmeasuredCells: new Set(zeros.map(({ cell }) => cell.id)),
  };
}

function orderFindings({ values, order }: Pick<Draft, 'values' | 'order'>): {
  readonly order: Findings['order'];
  readonly limitations: Limitation[];
} {
  const rowOrder = rowOrderOf(values);
  if (order === 'listed' || rowOrder === 'cycle') return { order: 'fixed', limitations: [] };
  const how =
    order === 'blocks'
      ? 'All measurements of a cell came one after the other'
      : rowOrder === 'sorted'
        ? `The ${values.length} rows are sorted by sandbox: either their order was lost, or all ` +
          'trials of a sandbox came one after the other'
        : `The order of the ${values.length} rows tells nothing of the order of the trials`;
  const message = `${how}. A drift can't be told from a difference between cells.`;
  return { order: 'unknown', limitations: [{ code: 'order-lost', message }] };
}

function duplicateFindings(
  cells: readonly CellValues[],
  step: number,
): { readonly limitations: Limitation[]; readonly indices: number[] } {
  const found = cells.flatMap((cell) => {
    const duplication = findDuplication(cell.values, step);
    return duplication === undefined ? [] : [{ cell, ...duplication }];
  });
  if (found.length === 0) return { limitations: [], indices: [] };
  const names = found.map(({ cell: { cell, values }, repeated, by }) => {
    const left = values.length - repeated.length;
    return `${cell.id} (${left} of ${values.length} rows by ${by})`;
  });
  const count = found.reduce((sum, { repeated }) => sum + repeated.length, 0);
  const message =
    `${count} rows repeat others of their cell, as if pasted; they are kept as invalid and count ` +
    `in no figure. What is left: ${cellList(names, 8)}.`;
  const indices = found.flatMap(({ cell, repeated }) =>
    repeated.flatMap((index) => cell.places[index] ?? []),
  );
  return { limitations: [{ code: 'duplicated-rows', message }], indices };
}

function incompleteBatches(cells: readonly CellValues[]): Limitation[] {
  const short = cells.filter(({ cell, values }) => values.length < cell.instances);
  if (short.length === 0) return [];
  const names = short.map(({ cell, values }) => `${cell.id} ${values.length}`);
  const message = `Batches with fewer rows than sandboxes have no makespan: ${cellList(names)}.`;
  return [{ code: 'failures-missing', message }];
}

function singleBatches(shape: Draft['shape'], cells: readonly CellValues[]): Limitation[] {
  const single =
    shape === 'batch-of-rows' ? cells : cells.filter(({ values }) => values.length === 1);
  if (single.length === 0) return [];
  const what = {
    sandbox: 'row',
    memory: 'reading',
    'batch-of-rows': 'batch',
    'batch-end': 'batch',
  };
  const message =
    `${single.length} of ${cells.length} cells have one ${what[shape]} each: no replication, so ` +
    'no interval says how sure they are.';
  return [{ code: 'single-batch', message }];
}
