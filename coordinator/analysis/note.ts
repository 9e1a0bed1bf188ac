import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';
import type { RunConditions } from './run-conditions.ts';
import type { Note, NoteCode, RunSummary } from './run-summary.ts';

/** What notes are drawn from. */
export interface NoteSources {
  readonly run: Run;
  readonly plan: Plan;
  readonly conditions: RunConditions;
  /** What of the data is damaged. Absent if nothing is. */
  readonly damage?: Pick<Note, 'message' | 'remedy'>;
  readonly summary: Omit<RunSummary, 'notes'>;
}

/** A note of level warning: the figures may mislead without it. */
export function warning(code: NoteCode, message: string, remedy: string): Note {
  return { code, level: 'warning', message, remedy };
}

/** A note of level information: the figures hold, and this is how they came about. */
export function information(code: NoteCode, message: string, remedy: string): Note {
  return { code, level: 'information', message, remedy };
}

/** `1 trial`, `2 trials`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
