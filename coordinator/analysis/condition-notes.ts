import type { InvalidCode } from '../../schemas/result.ts';
import { groupBy, startKey } from './measured-result.ts';
import type { MeasuredResult } from './measured-result.ts';
import { defined } from './metrics.ts';
import { counted, information, warning } from './note.ts';
import type { NoteSources } from './note.ts';
import { realTimeNotes } from './real-time-notes.ts';
import type { Note } from './run-summary.ts';

/** The mark of a result whose timekeeper was another one after the trial than before. */
const TIMEKEEPER_CHANGED: InvalidCode = 'clock-changed';

/**
 * Notes on the conditions of the measurement: hosts, order, and what differs where it should not.
 */
export function conditionNotes({ plan, measured, summary }: NoteSources): Note[] {
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
    ...mixedConditions(measured),
    ...realTimeNotes(measured),
    ...spreadNotes(summary.start.trials.length, measured),
  ];
}

/** A cell should run on one version of everything; where it does not, pooling confounds. */
function mixedConditions(measured: readonly MeasuredResult[]): Note[] {
  const notes: Note[] = [];
  const armed = measured.filter(({ result }) => result.functionDigest !== undefined);
  for (const [sandbox, own] of groupBy(armed, ({ result }) => result.cell.sandbox)) {
    const details = new Set(own.map(({ result }) => detailsText(result.sandboxDetails)));
    if (details.size < 2) continue;
    notes.push(
      warning(
        'mixed-conditions',
        `${sandbox} ran on ${details.size} set-ups: ${[...details].toSorted().join(' | ')}.`,
        'Bring the devices to one version and platform, or compare them apart.',
      ),
    );
  }
  for (const [name, own] of groupBy(armed, ({ result }) => result.cell.function)) {
    const digests = new Set(defined(own.map(({ result }) => result.functionDigest)));
    if (digests.size < 2) continue;
    notes.push(
      warning(
        'mixed-conditions',
        `${name} ran as ${digests.size} different builds.`,
        'Expected between architectures; otherwise build it once and run again.',
      ),
    );
  }
  return [...notes, ...mixedClasses(measured)];
}

/** Where a class has its reason, the note on real-time scheduling tells more. */
function mixedClasses(measured: readonly MeasuredResult[]): Note[] {
  if (measured.some(({ result }) => result.start?.schedulingReason !== undefined)) return [];
  const classes = new Set(defined(measured.map(({ result }) => result.start?.schedulingClass)));
  if (classes.size < 2) return [];
  return [
    information(
      'mixed-conditions',
      `The measuring processes ran in different scheduling classes: ${[...classes]
        .toSorted()
        .join(', ')}.`,
      'Give every agent the right to SCHED_FIFO, or take it from all.',
    ),
  ];
}

function detailsText(details: Readonly<Record<string, string>>): string {
  return Object.entries(details)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

/** A trial on several devices whose spread can't be told must not look as if it had none. */
function spreadNotes(trialsCompared: number, measured: readonly MeasuredResult[]): Note[] {
  const started = measured.filter(({ result }) => result.start !== undefined);
  const together = [...groupBy(started, ({ result }) => startKey(result))]
    .map(([, results]) => results.length)
    .filter((devices) => devices > 1).length;
  const unknown = together - trialsCompared;
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
