import { formatMs } from './format-ms.ts';
import { counted, information } from './note.ts';
import { quantile } from './quantile.ts';
import type { RunConditions } from './run-conditions.ts';
import type { Note } from './run-summary.ts';

/** More device ids than this make a note hard to read. */
const NAMED_MAX = 6;

/**
 * Says what it cost that devices measured without real-time scheduling, in the run's own numbers:
 * how late their starts were, beside those that had it. No note if every start had it, or if none
 * tells why it had not.
 */
export function realTimeNotes({
  ordinaryStarts: without,
  otherStarts: others,
  ordinaryReason,
}: RunConditions): Note[] {
  const ownP95Ns = quantile(without.latenessesNs, 0.95);
  const othersP95Ns = quantile(others.latenessesNs, 0.95);
  if (ownP95Ns === undefined) return [];
  const deviceIds = [...without.deviceIds].toSorted();
  const whose = deviceIds.length === 1 ? 'its' : 'their';
  const beside =
    othersP95Ns === undefined
      ? ''
      : `; those with it ${formatMs(othersP95Ns)} ms ` +
        `(${counted(others.latenessesNs.length, 'start')})`;
  return [
    information(
      'no-real-time',
      `${counted(deviceIds.length, 'device')} measured without real-time scheduling ` +
        `(${named(deviceIds)}): ${whose} starts were ${formatMs(ownP95Ns)} ms late at p95 ` +
        `(${counted(without.latenessesNs.length, 'start')})${beside}. ` +
        sentence(ordinaryReason ?? ''),
      others.latenessesNs.length === 0
        ? 'Give the agents the right to SCHED_FIFO for tighter starts.'
        : 'Give every agent the right to SCHED_FIFO, or take it from all, before you compare them.',
    ),
  ];
}

function named(deviceIds: readonly string[]): string {
  if (deviceIds.length <= NAMED_MAX) return deviceIds.join(', ');
  return `${deviceIds.slice(0, NAMED_MAX).join(', ')} and ${deviceIds.length - NAMED_MAX} more`;
}

function sentence(reason: string): string {
  return `Reason: ${reason.replace(/\.$/, '')}.`;
}
