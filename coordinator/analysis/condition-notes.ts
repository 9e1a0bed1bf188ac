import type { InvalidCode } from '../../schemas/result.ts';
import { groupBy } from './measured-result.ts';
import { counted, information, warning } from './note.ts';
import type { NoteSources } from './note.ts';
import { realTimeNotes } from './real-time-notes.ts';
import type { RunConditions } from './run-conditions.ts';
import type { Note } from './run-summary.ts';

/** The mark of a result whose timekeeper was another one after the trial than before. */
const TIMEKEEPER_CHANGED: InvalidCode = 'clock-changed';

/**
 * Notes on the conditions of the measurement: hosts, order, and what differs where it should not.
 */
export function conditionNotes({ plan, conditions, summary }: NoteSources): Note[] {
  const notes: Note[] = [];
  for (const { host, deviceIds } of summary.hosts) {
    if (deviceIds.length < 2) continue;
    notes.push(
      warning(
        'co-located',
        `${deviceIds.join(', ')} share one machine (${host}): they are not independent devices ` +
          'and count as one; each trial gives one value, the median over them.',
        'Run agents on machines of their own to learn how much machines differ.',
      ),
    );
  }
  const hostsMeasured = new Set(
    summary.cells.flatMap(({ units }) => units.map(({ host }) => host)),
  );
  if (hostsMeasured.size > 1) {
    notes.push(
      information(
        'hosts-pooled',
        `The figures pool ${hostsMeasured.size} hosts; an interval says how sure the pooled ` +
          'median is, not how much machines differ.',
        'Compare the hosts in the CSV by its column host before you pool unlike machines.',
      ),
    );
  }
  if (plan.order === 'fixed' && summary.cells.length > 1) {
    notes.push(
      information(
        'fixed-order',
        'Every repetition had the same order, so a drift or an after-effect of one cell on the ' +
          'next looks like a difference between cells.',
        'Use order: randomised-blocks unless you repeat an earlier study.',
      ),
    );
  }
  return [
    ...notes,
    ...mixedConditions(conditions),
    ...realTimeNotes(conditions),
    ...spreadNotes(conditions.commonStarts - summary.start.trials.length),
  ];
}

/** A cell should run on one version of everything; where it does not, pooling confounds. */
function mixedConditions(conditions: RunConditions): Note[] {
  const notes: Note[] = [];
  for (const [sandbox, own] of groupBy(conditions.setUps, (setUp) => setUp.sandbox)) {
    if (own.length < 2) continue;
    notes.push(
      warning(
        'mixed-conditions',
        `${sandbox} ran on ${own.length} set-ups: ` +
          `${own.map(({ details }) => details).join(' | ')}.`,
        'Bring the devices to one version and platform, or compare them apart.',
      ),
    );
  }
  for (const [name, digests] of conditions.digestsOf) {
    if (digests.size < 2) continue;
    notes.push(
      warning(
        'mixed-conditions',
        `${name} ran as ${digests.size} different builds.`,
        'Expected between architectures; otherwise build it once and run again.',
      ),
    );
  }
  return [...notes, ...mixedClasses(conditions)];
}

/** Where a class has its reason, the note on real-time scheduling tells more. */
function mixedClasses({ schedulingClasses, ordinaryReason }: RunConditions): Note[] {
  if (ordinaryReason !== undefined || schedulingClasses.size < 2) return [];
  return [
    information(
      'mixed-conditions',
      `The measuring processes ran in different scheduling classes: ${[...schedulingClasses]
        .toSorted()
        .join(', ')}.`,
      'Give every agent the right to SCHED_FIFO, or take it from all.',
    ),
  ];
}

/** A trial on several devices whose spread can't be told must not look as if it had none. */
function spreadNotes(unknown: number): Note[] {
  if (unknown <= 0) return [];
  return [
    warning(
      'spread-unknown',
      `The spread of ${counted(unknown, 'common start')} is unknown: fewer than two devices had ` +
        'an estimate of one and the same fleet time.',
      `See the results marked ${TIMEKEEPER_CHANGED}: each timekeeper has a fleet time of its own.`,
    ),
  ];
}
