import type { Plan } from '../../schemas/plan.ts';
import type { Cell, TrialResult } from '../../schemas/result.ts';
import type { Run } from '../../schemas/run.ts';
import { hostsOf } from '../analysis/co-location.ts';
import type { HostedValue } from '../analysis/host-ratio.ts';
import { groupBy, measureContext, measureTrial } from '../analysis/measured-result.ts';
import type { MeasureContext, MeasuredResult } from '../analysis/measured-result.ts';
import { summarisedLabels } from '../analysis/measure-tally.ts';
import { median } from '../analysis/quantile.ts';
import { cellsOf } from '../planning/cells.ts';
import { quantityOf } from './quantities.ts';
import type { QuantityName } from './quantities.ts';
import type { StudyCell } from './study-cell.ts';

interface Line {
  readonly cell: Cell;
  attempts: number;
  readonly failures: Map<string, number>;
  readonly examples: Map<string, string>;
  setUp: string;
  readonly values: Map<QuantityName, HostedValue[]>;
}

/**
 * Puts the results of a run into the quantities of the suite. As everywhere the unit is one trial
 * on one host; sandboxes, intervals and later calls of a trial count once, by their median.
 */
export class StudyTally {
  readonly #run: Run;
  readonly #plan: Plan;
  readonly #quantities: readonly QuantityName[];
  readonly #context: MeasureContext;
  readonly #lines: Map<string, Line>;

  constructor(run: Run, plan: Plan, quantities: readonly QuantityName[]) {
    this.#run = run;
    this.#plan = plan;
    this.#quantities = quantities;
    this.#context = measureContext(run, plan, hostsOf(run.devices));
    this.#lines = new Map(plan.cells.map((cell) => [cell.id, emptyLine(cell)] as const));
  }

  /** Adds all results of one trial, one per key. */
  add(results: readonly TrialResult[]): void {
    const measured = measureTrial(results, this.#context).filter(
      ({ outcome }) => outcome !== 'stood-down',
    );
    for (const own of groupBy(measured, ({ result }) => result.cell.id).values()) {
      const cell = own[0]?.result.cell;
      if (cell === undefined) continue;
      const line = this.#lines.get(cell.id) ?? emptyLine(cell);
      this.#lines.set(cell.id, line);
      for (const one of own) count(line, one);
      this.#addUnits(line, own);
    }
  }

  /** Every cell that the experiment asked for, in its order; none is left out. */
  cells(): StudyCell[] {
    const { factors, exclude } = this.#run.experiment;
    const wanted = cellsOf({ factors, exclude } as Parameters<typeof cellsOf>[0]);
    const ids = new Set(wanted.map(({ id }) => id));
    const others = [...this.#lines.values()].filter(({ cell }) => !ids.has(cell.id));
    return [...wanted, ...others.map(({ cell }) => cell)].map((cell) => this.#conclude(cell));
  }

  #addUnits(line: Line, own: readonly MeasuredResult[]): void {
    const kept = own.filter(({ outcome }) => outcome === 'kept');
    const keyOf = ({ result, host }: MeasuredResult): string => `${result.attempt} ${host}`;
    for (const sharing of groupBy(kept, keyOf).values()) {
      const host = sharing[0]?.host ?? '';
      for (const quantity of this.#quantities) {
        const value = median(sharing.flatMap((one) => valuesOf(one, quantity)));
        if (value === undefined) continue;
        const values = line.values.get(quantity) ?? [];
        values.push({ host, valueNs: value });
        line.values.set(quantity, values);
      }
    }
  }

  #conclude(cell: Cell): StudyCell {
    const line = this.#lines.get(cell.id) ?? emptyLine(cell);
    const failures = [...line.failures.values()].reduce((sum, one) => sum + one, 0);
    const base = { cell, attempts: line.attempts, failures, setUp: line.setUp };
    const values = Object.fromEntries(line.values) as StudyCell['values'];
    if (line.values.size > 0) return { ...base, status: 'filled', values };
    const skipped = this.#plan.skipped.filter((one) => one.cell.id === cell.id);
    if (line.attempts === 0 && skipped.length > 0) {
      const reasons = new Set(
        skipped.map(({ failure, deviceId }) =>
          deviceId === undefined
            ? `${failure.code}: ${failure.message}`
            : `${failure.code} on ${deviceId}: ${failure.message}`,
        ),
      );
      return { ...base, status: 'unavailable', reason: [...reasons].join('; '), values };
    }
    if (line.attempts === 0) return { ...base, ...this.#untried(), values };
    return { ...base, status: 'failed', reason: failureText(line), values };
  }

  #untried(): Pick<StudyCell, 'status' | 'reason'> {
    const { state, failure } = this.#run;
    if (failure === undefined) return { status: 'not-run', reason: `the run is ${state}` };
    return { status: 'failed', reason: `${failure.code}: ${failure.message}` };
  }
}

function emptyLine(cell: Cell): Line {
  return {
    ...{ cell, attempts: 0, setUp: '' },
    failures: new Map(),
    examples: new Map(),
    values: new Map(),
  };
}

function count(line: Line, { result, outcome }: MeasuredResult): void {
  line.attempts += 1;
  const details = Object.entries(result.sandboxDetails);
  if (line.setUp === '') line.setUp = details.map(([name, value]) => `${name} ${value}`).join(', ');
  if (outcome === 'kept') return;
  const [mark] = result.invalid;
  const [failureClass, message] =
    outcome === 'failed'
      ? [result.failure?.code ?? 'INTERNAL', result.failure?.message ?? '']
      : outcome === 'invalid'
        ? [`invalid, ${mark?.code ?? ''}`, mark?.message ?? '']
        : ['unmeasured', 'the stamps that its time needs are absent'];
  line.failures.set(failureClass, (line.failures.get(failureClass) ?? 0) + 1);
  if (!line.examples.has(failureClass)) line.examples.set(failureClass, message);
}

function failureText({ failures, examples }: Line): string {
  if (failures.size === 0) return 'unmeasured: what is compared was not measured; see its report';
  return [...failures]
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, times]) => `${name} (${times}×): ${examples.get(name) ?? ''}`)
    .join('; ');
}

/** What one result says of a quantity; nothing if it does not measure it. */
function valuesOf({ result, measures }: MeasuredResult, name: QuantityName): number[] {
  const { of, labels = {} } = quantityOf(name);
  if (of === 'latency') return measures.latencyNs === undefined ? [] : [measures.latencyNs];
  if (of === 'limit') return connectionLimit(result);
  return (result.measurements ?? [])
    .filter(({ measure, labels: own }) => {
      const kept = summarisedLabels(own);
      return measure === of && Object.entries(labels).every(([key, value]) => kept[key] === value);
    })
    .map(({ value }) => value);
}

/**
 * The most connections before the first load with a failure; 0 if the least had one. If none had,
 * the most that were tried.
 */
function connectionLimit({ measurements = [] }: TrialResult): number[] {
  const loads = measurements
    .filter(({ measure }) => measure === 'load.failures')
    .map(({ labels, value }) => ({ connections: Number(labels?.connections), failures: value }))
    .toSorted((a, b) => a.connections - b.connections);
  if (loads.length === 0) return [];
  const firstBad = loads.findIndex(({ failures }) => failures > 0);
  if (firstBad === -1) return [loads.at(-1)?.connections ?? 0];
  return [loads[firstBad - 1]?.connections ?? 0];
}
