import { NS_PER_MS, nanosecondsToMs } from '../schemas/units.ts';
import type { ArmRequest } from '../schemas/messages.ts';
import type { BarrierRecord, InvalidCode, InvalidMark } from '../schemas/result.ts';

/** A pause of the measuring process longer than this disturbed the trial, ns. */
const PAUSE_LIMIT_NS = 500n * NS_PER_MS;

/** What is known of a trial that could make its result invalid. */
export interface TrialSigns {
  readonly latenessNs: bigint;
  readonly boundNs: bigint;
  readonly longestPauseNs: bigint;
  /** How far the clocks moved against each other between arm and end, ns; 0 if they did not. */
  readonly stepNs: bigint;
  readonly barriers: readonly BarrierRecord[];
  readonly leftovers: readonly string[];
  /** Marks about the clock that were found while it was measured. */
  readonly clockMarks: readonly InvalidMark[];
}

/** The reasons why a result must not be trusted. Pure; each says what was seen and the limit. */
export function marksOf(
  budget: Pick<ArmRequest, 'latenessBudgetNs' | 'clockBoundBudgetNs'>,
  signs: TrialSigns,
): InvalidMark[] {
  const marks: InvalidMark[] = [];
  const add = (code: InvalidCode, message: string): void => {
    marks.push({ code, message: message.slice(0, 1024) });
  };
  const { latenessBudgetNs, clockBoundBudgetNs } = budget;
  if (signs.latenessNs > latenessBudgetNs) {
    add(
      'late-start',
      `started ${ms(signs.latenessNs)} late; the budget is ${ms(latenessBudgetNs)}`,
    );
  }
  for (const { name, targetMonoNs, actualMonoNs } of signs.barriers) {
    const lateNs = actualMonoNs - targetMonoNs;
    if (lateNs <= latenessBudgetNs) continue;
    add(
      'late-barrier',
      `went on from barrier ${name} ${ms(lateNs)} late; the budget is ${ms(latenessBudgetNs)}`,
    );
  }
  if (signs.boundNs > clockBoundBudgetNs) {
    add(
      'clock-bound',
      `the clock bound was ${ms(signs.boundNs)}; the budget is ${ms(clockBoundBudgetNs)}`,
    );
  }
  marks.push(...signs.clockMarks);
  const hasStepMark = signs.clockMarks.some(({ code }) => code === 'clock-step');
  if (signs.stepNs !== 0n && !hasStepMark) {
    add('clock-step', `wall clock and monotonic clock moved apart by ${ms(signs.stepNs)}`);
  }
  if (signs.longestPauseNs > PAUSE_LIMIT_NS) {
    add('paused', `the measuring process stood still for ${ms(signs.longestPauseNs)}`);
  }
  if (signs.leftovers.length > 0) add('leftover', signs.leftovers.join('; '));
  return marks;
}

function ms(valueNs: bigint): string {
  return `${nanosecondsToMs(valueNs)} ms`;
}
