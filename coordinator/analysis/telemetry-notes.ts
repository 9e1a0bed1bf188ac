import { isEnded } from '../../schemas/run.ts';
import { counted, information, warning } from './note.ts';
import type { NoteSources } from './note.ts';
import type { Note } from './run-summary.ts';
import type { SampleFindings } from './telemetry-summary.ts';
import { RATE_SHARE_MIN } from './telemetry-tally.ts';

/** More names or places than this make a note hard to read. */
const NAMED_MAX = 6;

/** What a reader must know of how the run was sampled. */
export function telemetryNotes({ run, summary }: Pick<NoteSources, 'run' | 'summary'>): Note[] {
  const { telemetry, samples } = summary;
  const notes: Note[] = [];
  if (samples !== undefined) notes.push(...findingNotes(samples, isEnded(run.state)));
  if (telemetry === undefined) return notes;
  const { failed, slow, thinned, sampled } = telemetry;
  if (failed > 0) {
    notes.push(
      warning(
        'sampling-failed',
        `${counted(failed, 'result')} (${named(telemetry.failedDeviceIds)}) were measured but ` +
          `not sampled: ${(telemetry.failure ?? 'unknown').replace(/\.$/, '')}.`,
        'See the log of the device; the latencies hold.',
      ),
    );
  }
  if (slow > 0) {
    const least = ((telemetry.achievedLeast ?? 0) * 100).toFixed(0);
    notes.push(
      warning(
        'sampling-slow',
        `${slow} of ${counted(sampled, 'sampled result')} (${named(telemetry.slowDeviceIds)}) ` +
          `missed over ${(100 * (1 - RATE_SHARE_MIN)).toFixed(0)} % of the samples that were ` +
          `asked for; the slowest had ${least} % of the rate.`,
        'Ask for a lower rate or fewer sources, or give the sampler a processor of its own.',
      ),
    );
  }
  if (thinned > 0) {
    notes.push(
      information(
        'sampling-thinned',
        `Samples of ${counted(thinned, 'result')} were thinned out: there were more than the ` +
          'sampler may keep in memory.',
        'Nothing, if the rate that is left is enough; else sample fewer sources.',
      ),
    );
  }
  return notes;
}

function findingNotes(
  { missing, damaged, damage, throttled }: SampleFindings,
  isOver: boolean,
): Note[] {
  const notes: Note[] = [];
  // Of a run that still goes on, what is absent may still come.
  if (missing.trials > 0 && isOver) {
    notes.push(
      warning(
        'samples-missing',
        `Samples of ${counted(missing.trials, 'trial')} are missing: ` +
          `${counted(missing.blocks, 'block')} did not arrive.`,
        'Start the agents again: what they sampled waits in their outboxes.',
      ),
    );
  }
  if (damaged > 0 || damage.length > 0) {
    notes.push(
      warning(
        'damaged-samples',
        `samples.ndjson is damaged; ${counted(damaged, 'line')} of it left out: ` +
          `${damage.slice(0, 3).join('; ')}.`,
        'Restore the folder of the run from an archive or a copy. The results are not touched.',
      ),
    );
  }
  if (throttled.length > 0) {
    const told = throttled
      .slice(0, NAMED_MAX)
      .map(
        ({ device, condition, trials }) => `${device}: ${condition}, ${counted(trials, 'trial')}`,
      );
    const more = throttled.length - told.length;
    notes.push(
      warning(
        'throttled',
        `A device was throttled while it measured (${told.join('; ')}` +
          `${more > 0 ? `; and ${more} more` : ''}).`,
        'Give it a better supply or cooling, and measure again: such trials are slower.',
      ),
    );
  }
  return notes;
}

function named(deviceIds: readonly string[]): string {
  if (deviceIds.length <= NAMED_MAX) return deviceIds.join(', ');
  return `${deviceIds.slice(0, NAMED_MAX).join(', ')} and ${deviceIds.length - NAMED_MAX} more`;
}
