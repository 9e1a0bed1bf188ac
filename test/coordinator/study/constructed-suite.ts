import { Procedure } from '../../../schemas/procedure.ts';
import { MeasuredSuite } from '../../../coordinator/study/measured-suite.ts';
import type { QuantityName } from '../../../coordinator/study/quantities.ts';
import type { MeasuredExperiment, StudyCell } from '../../../coordinator/study/study-cell.ts';

/** What a constructed cell has: about so much of some quantities, or a reason. */
export interface Constructed {
  readonly sandbox: string;
  readonly function?: string;
  readonly instances?: number;
  /** Centre of the values; they lie within 1 % of it. */
  readonly about?: Partial<Record<QuantityName, number>>;
  /** The values themselves. */
  readonly exactly?: Partial<Record<QuantityName, readonly number[]>>;
  readonly unavailable?: string;
  readonly setUp?: string;
  /** How many values. Default: 11. */
  readonly n?: number;
}

/** Values around a centre, evenly within 1 % on both sides. */
export function around(centre: number, n = 11): number[] {
  return Array.from({ length: n }, (_, index) =>
    n === 1 ? centre : centre * (0.99 + (0.02 * index) / (n - 1)),
  );
}

/** A cell as if it had been measured on one host. */
export function constructedCell(of: Constructed): StudyCell {
  const { sandbox, function: functionName = 'hello-go', instances = 1 } = of;
  const centred = Object.entries(of.about ?? {}).map(
    ([name, centre]) => [name, around(centre, of.n)] as const,
  );
  const values = Object.fromEntries(
    [...centred, ...Object.entries(of.exactly ?? {})].map(([name, own]) => [
      name,
      own.map((valueNs) => ({ host: 'host-1', valueNs })),
    ]),
  );
  return {
    cell: {
      id: `${sandbox}/${functionName}/${instances}`,
      sandbox,
      function: functionName,
      instances,
    },
    status: of.unavailable === undefined ? 'filled' : 'unavailable',
    ...(of.unavailable === undefined ? {} : { reason: of.unavailable }),
    attempts: of.n ?? 11,
    failures: 0,
    setUp: of.setUp ?? '',
    values,
  };
}

/** An experiment as if it had been run. */
export function constructed(
  name: string,
  procedure: Record<string, unknown>,
  cells: readonly Constructed[],
): MeasuredExperiment {
  const done = Procedure.parse(procedure);
  return {
    name,
    state: 'done',
    runId: `study-${name}`,
    experiment: { kind: done.kind, procedure: done },
    cells: cells.map(constructedCell),
  };
}

/** A suite of such experiments. */
export function suiteOf(...experiments: readonly MeasuredExperiment[]): MeasuredSuite {
  return new MeasuredSuite(experiments);
}
