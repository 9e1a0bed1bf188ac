import type { Experiment } from '../../schemas/experiment.ts';
import type { Cell } from '../../schemas/result.ts';

type Exclusion = Experiment['exclude'][number];

/** Every combination of an experiment's factors that is not excluded, in the order as written. */
export function cellsOf(experiment: Pick<Experiment, 'factors' | 'exclude'>): Cell[] {
  const { factors, exclude } = experiment;
  const cells: Cell[] = [];
  for (const sandbox of factors.sandbox) {
    for (const functionName of factors.function) {
      for (const instances of factors.instances) {
        const cell = {
          id: `${sandbox}/${functionName}/${instances}`,
          sandbox,
          function: functionName,
          instances,
        };
        if (!exclude.some((pattern) => matches(pattern, cell))) cells.push(cell);
      }
    }
  }
  return cells;
}

function matches(pattern: Exclusion, cell: Cell): boolean {
  const { sandbox, instances } = pattern;
  return (
    (sandbox === undefined || sandbox === cell.sandbox) &&
    (pattern.function === undefined || pattern.function === cell.function) &&
    (instances === undefined || instances === cell.instances)
  );
}
