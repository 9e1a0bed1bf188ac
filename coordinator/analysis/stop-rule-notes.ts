import type { Experiment } from '../../schemas/experiment.ts';
import type { Stopped } from '../../schemas/look.ts';
import { information, warning } from './note.ts';
import type { Note } from './run-summary.ts';
import { intervalCoverageOf, looksOf } from './statistics/sequential.ts';

type WithRule = Pick<Experiment, 'repetitions' | 'until'>;

/**
 * What a reader must know of how a run ended by its own rule. The trials that were not done for
 * that reason are not missing.
 *
 * @param stopped as in the run's record; undefined for a run without such a rule
 */
export function stopRuleNotes(experiment: WithRule, stopped: Stopped | undefined): Note[] {
  if (stopped === undefined) return [];
  const { rule, reason, repetitions, cells } = stopped;
  if (cells.every(({ isPrecise }) => isPrecise)) {
    const remedy =
      cells.length === 0
        ? 'Nothing: time does not depend on what was measured.'
        : `Nothing: each interval covers ${coverageText(experiment)} to make up for the looks.`;
    return [information('stopped-early', reason, remedy)];
  }
  const needed = Math.max(...cells.map(({ repetitionsNeeded }) => repetitionsNeeded ?? 0));
  const more =
    needed > repetitions
      ? `Write repetitions: ${Number(needed.toPrecision(2))} or more`
      : 'See why values are invalid or missing';
  const ways = rule === 'time-limit' ? `${more}, and more time` : more;
  return [warning('not-precise', reason, `${ways}; or be content with what was reached.`)];
}

/**
 * The stop rule of an experiment in words, with its looks and the coverage that they cost.
 *
 * @returns undefined without such a rule
 */
export function stopRuleText(experiment: WithRule): string | undefined {
  const { until, repetitions } = experiment;
  if (until === undefined) return undefined;
  const clauses: string[] = [];
  const looks = looksOf(experiment);
  if (looks !== undefined) {
    const statistic = until.of === 'median' ? 'median' : '95th percentile';
    const times = looks.length === 1 ? 'once' : `${looks.length} times`;
    clauses.push(
      `when the ${statistic} of every cell is known to ±${until.halfWidthPercent ?? 0} %, looked ` +
        `at ${times}, after ${looks.join(', ')} repetitions. Each interval covers ` +
        `${coverageText(experiment)}, so that all looks together keep 95 % (Pocock, Biometrika ` +
        '64, 1977)',
    );
  }
  if (until.timeLimitMinutes !== undefined) {
    clauses.push(`after the repetition in which ${until.timeLimitMinutes} minutes are over`);
  }
  clauses.push(`after ${repetitions} repetitions`);
  return `${clauses.join('; or ')}. Always after whole repetitions and for all cells together`;
}

function coverageText(experiment: WithRule): string {
  return `${Number((100 * intervalCoverageOf(experiment)).toPrecision(3))} %`;
}
