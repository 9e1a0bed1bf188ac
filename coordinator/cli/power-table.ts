import { formatMs } from '../analysis/format-ms.ts';
import { PLANNED_PERCENTS, PLANNED_POWERS } from '../analysis/power-plan.ts';
import type { CellPower, PowerPlan } from '../analysis/power-plan.ts';
import { looksOf } from '../analysis/statistics/sequential.ts';
import type { Experiment } from '../../schemas/experiment.ts';
import { stopRuleOf } from '../planning/stop-rule.ts';
import { hopelessText } from '../planning/stop-words.ts';
import type { PilotRun } from './pilot-run.ts';
import { textTable } from './text-table.ts';

const ABSENT = '-';

/** How many repetitions the question needs, as text; pure. */
export function powerTable(
  plan: PowerPlan,
  pilot: Pick<PilotRun, 'runId' | 'found' | 'warnings'>,
  experiment: Pick<Experiment, 'repetitions' | 'until'>,
): string {
  const { statistic, cells, detectPercent } = plan;
  const header = [
    ...['cell', 'hosts', 'n', `${statistic} ms`, 'spread', 'reached'],
    ...PLANNED_PERCENTS.map((percent) => `±${percent} %`),
    'finds',
    ...PLANNED_POWERS.map((power) => `${detectPercent} % at ${100 * power} %`),
  ];
  const missing = cells.length - pilot.found;
  return [
    `repetitions that the question needs, as far as run ${pilot.runId} tells` +
      (missing === 0 ? '' : `; it has ${pilot.found} of the ${cells.length} cells`),
    ...pilot.warnings.map((warning) => `  take care: ${warning}`),
    '',
    textTable(header, cells.map(rowOf)),
    '',
    ...legend(plan),
    ...looksText(plan, experiment),
  ].join('\n');
}

function rowOf(cell: CellPower): string[] {
  const { cellId, hosts, n, estimateNs, spreadPercent, halfWidthPercent } = cell;
  const { repetitionsForPercent, detectablePercent, repetitionsToDetect } = cell;
  return [
    ...[cellId, String(hosts), String(n)],
    estimateNs === undefined ? ABSENT : formatMs(estimateNs),
    percent(spreadPercent),
    halfWidthPercent === undefined ? ABSENT : `±${percent(halfWidthPercent)}`,
    ...repetitionsForPercent.map(count),
    detectablePercent === null ? ABSENT : percent(detectablePercent),
    ...repetitionsToDetect.map(count),
  ];
}

function legend({ statistic, coverage, comparisons, level, repetitions }: PowerPlan): string[] {
  const compared = `${comparisons} ${comparisons === 1 ? 'comparison' : 'comparisons'}`;
  const covered = Number((100 * coverage).toPrecision(3));
  return [
    `n, ${statistic} ms, spread (distance of the quartiles by the median) and reached (half the`,
    `width of the ${covered} % interval) are the pilot's.`,
    `±: repetitions per cell for that half width of the ${statistic}'s interval; about half of`,
    'all runs have it by then.',
    `finds: smallest difference of two medians that ${repetitions} repetitions find in four of`,
    'five runs.',
    'x % at y %: repetitions that find a difference of x % with a chance of y %, by the rank sum',
    `test at ${(100 * level).toPrecision(2)} % (5 % over ${compared} and all looks).`,
    `${ABSENT}: the pilot has too few values, or no number of repetitions is enough.`,
  ];
}

function looksText(
  { coverage, cells }: PowerPlan,
  experiment: Pick<Experiment, 'repetitions' | 'until'>,
): string[] {
  const looks = looksOf(experiment);
  if (looks === undefined) return [];
  const rule = stopRuleOf(experiment);
  const hosts = Math.max(1, ...cells.map((cell) => cell.hosts));
  const hopeless = rule && hopelessText(rule, hosts * experiment.repetitions);
  return [
    ...(hopeless === undefined ? [] : [`take care: ${hopeless}`]),
    `The run is looked at after ${looks.join(', ')} repetitions, so each of its intervals covers ` +
      `${Number((100 * coverage).toPrecision(3))} %.`,
  ];
}

function percent(value: number | undefined): string {
  if (value === undefined) return ABSENT;
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(2))} %`;
}

function count(value: number | null): string {
  if (value === null) return ABSENT;
  // Beyond 100 the last digits say more than any pilot can.
  return String(value < 100 ? value : Number(value.toPrecision(2)));
}
