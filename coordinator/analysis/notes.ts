import { isEnded } from '../../schemas/run.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run.ts';
import { conditionNotes } from './condition-notes.ts';
import { distributionNotes } from './distribution-notes.ts';
import { groupBy } from './measured-result.ts';
import { counted, information, warning } from './note.ts';
import type { NoteSources } from './note.ts';
import { orderNotes } from './order-notes.ts';
import { hasLatency, provenanceNotes } from './provenance-notes.ts';
import type { CellSummary, Note, RunSummary } from './run-summary.ts';
import { stopRuleNotes } from './stop-rule-notes.ts';
import { telemetryNotes } from './telemetry-notes.ts';

/** What a reader must know to judge the figures: first how complete they are, then how sound. */
export function notesOf(sources: NoteSources): Note[] {
  const { damage } = sources;
  return [
    ...(damage === undefined ? [] : [warning('damaged-data', damage.message, damage.remedy)]),
    ...completenessNotes(sources),
    ...stopRuleNotes(sources.run.experiment, sources.run.stopped),
    ...provenanceNotes(sources.run),
    ...outcomeNotes(sources),
    ...conditionNotes(sources),
    ...telemetryNotes(sources),
    ...distributionNotes(sources.summary),
    ...orderNotes(sources.summary, sources.plan),
    ...recordNotes(sources.summary),
  ];
}

const STATE_TEXTS: Readonly<Record<Run['state'], string>> = {
  queued: 'is queued',
  preparing: 'is being prepared',
  running: 'still goes on',
  completed: 'is completed',
  cancelled: 'was cancelled',
  failed: 'failed',
  interrupted: 'was interrupted',
};

function completenessNotes({ run, plan, conditions, summary }: NoteSources): Note[] {
  const notes: Note[] = [];
  const { planned, done, stoodDown } = summary.trials;
  if (run.state !== 'completed') {
    const why = run.failure === undefined ? '' : ` (${run.failure.code}: ${run.failure.message})`;
    const remedy = isEnded(run.state)
      ? (run.failure?.hint ?? 'Run the experiment again for complete blocks.')
      : 'Wait until the run has ended.';
    notes.push(
      warning(
        'run-not-completed',
        `The run ${STATE_TEXTS[run.state]}${why}: ` +
          `${done} of ${counted(planned, 'planned trial')} were done.`,
        remedy,
      ),
    );
  }
  if (summary.results.distinct === 0) {
    notes.push(
      warning('no-results', 'No result was recorded.', 'See why the run ended, and run it again.'),
    );
  }
  if (stoodDown > 0) {
    notes.push(
      warning(
        'trials-stood-down',
        `${counted(stoodDown, 'trial')} stood down: called off before any device was done.`,
        'See the reasons below; free the devices that declined, or use gang: available.',
      ),
    );
  }
  // Of a run that still goes on, what is absent may still come.
  const missing = isEnded(run.state) ? conditions.absentResults : 0;
  if (missing > 0) {
    notes.push(
      warning(
        'results-missing',
        `${counted(missing, 'result')} of trials that were done did not arrive.`,
        'Start the agents again: what they measured waits in their outboxes.',
      ),
    );
  }
  notes.push(...skippedNotes(plan.skipped));
  return notes;
}

/** One note per reason, because one remedy often brings several cells back. */
function skippedNotes(skipped: Plan['skipped']): Note[] {
  return [...groupBy(skipped, ({ failure }) => failure.message)].map(([reason, together]) => {
    const cells = [...new Set(together.map(({ cell }) => cell.id))];
    return warning(
      'skipped-cells',
      `${counted(cells.length, 'cell')} could not be measured (${cells.join(', ')}): ${reason}.`,
      together[0]?.failure.hint ?? 'See the log of the device.',
    );
  });
}

function outcomeNotes({ run, conditions, summary }: NoteSources): Note[] {
  const notes: Note[] = [];
  const sum = (read: (cell: CellSummary) => number): number =>
    summary.cells.reduce((total, cell) => total + read(cell), 0);
  const failed = sum(({ failures }) => failures);
  const invalid = sum((cell) => cell.invalid);
  const unmeasured = sum((cell) => cell.unmeasured);
  const attempts = sum((cell) => cell.attempts);
  if (failed > 0) {
    notes.push(
      warning(
        'failed-results',
        `${failed} of ${counted(attempts, 'result')} failed; they have no latency, and count ` +
          'as failures.',
        'See the reason, the phase and the log of each.',
      ),
    );
  }
  if (invalid > 0) {
    notes.push(
      warning(
        'invalid-results',
        `${invalid} of ${counted(attempts, 'result')} are invalid ` +
          `(${[...conditions.invalidCodes].toSorted().join(', ')}); kept and shown, but not in ` +
          'the latency.',
        'Quieten the devices that are marked, or widen the budget if the question allows it.',
      ),
    );
  }
  if (unmeasured > 0 && hasLatency(run)) {
    notes.push(
      warning(
        'unmeasured-results',
        `${counted(unmeasured, 'valid result')} lack a stamp that the latency needs.`,
        'See which phases are absent; the sandbox may not show them.',
      ),
    );
  }
  return notes;
}

function recordNotes({ results }: Omit<RunSummary, 'notes'>): Note[] {
  const notes: Note[] = [];
  if (results.duplicates > 0) {
    notes.push(
      information(
        'duplicates-dropped',
        `${counted(results.duplicates, 'exact copy').replace('copys', 'copies')} of results ` +
          'dropped.',
        'Nothing: a result may be delivered twice, and counts once.',
      ),
    );
  }
  if (results.superseded > 0) {
    notes.push(
      information(
        'superseded-results',
        `${counted(results.superseded, 'result')} that the coordinator wrote in place of a lost ` +
          "device gave way to the device's own.",
        "Nothing: the device's word is better.",
      ),
    );
  }
  if (results.conflicting > 0) {
    notes.push(
      warning(
        'conflicting-results',
        `${counted(results.conflicting, 'result')} differ from another under the same key and ` +
          'were left out.',
        'Two agents may share one identity; look at results.ndjson and at lockstep devices.',
      ),
    );
  }
  if (results.foreign > 0) {
    notes.push(
      warning(
        'foreign-results',
        `${counted(results.foreign, 'result')} of other runs were left out.`,
        'Look at results.ndjson: files of two runs may have been mixed.',
      ),
    );
  }
  return notes;
}
