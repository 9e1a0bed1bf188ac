import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';

/** How the figures of an imported run came about, as terms and texts. Undefined for own runs. */
export function provenanceEntries(
  { provenance, experiment }: Pick<Run, 'provenance' | 'experiment'>,
  plan: Pick<Plan, 'order' | 'trials'>,
): [string, string][] | undefined {
  if (provenance === undefined) return undefined;
  const { source, fileName, digest, sizeBytes, rows, unit, resolution } = provenance;
  const step = resolution === undefined ? '' : `, in steps of ${Number(resolution.toPrecision(4))}`;
  const order = {
    unknown: 'unknown: the source does not tell it',
    fixed: 'the same in every repetition, as the rows of the source stand',
    'randomised-blocks': 'randomised complete blocks',
  }[plan.order];
  const importedAt = new Date(provenance.importedAtUtcMs).toISOString().slice(0, 16);
  return [
    ['Imported from', `${fileName} (${source}), ${sizeBytes} bytes, ${digest}`],
    ['A value is', provenance.value],
    ['Values', `${rows}, in ${unit}${step}`],
    ['Order', order],
    ['Repetitions', `${experiment.repetitions} per cell at most, ${plan.trials.length} trials`],
    ['Imported', `${importedAt.replace('T', ' ')} UTC by version ${provenance.importedByVersion}`],
  ];
}
