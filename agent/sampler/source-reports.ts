import type { SourceReport } from '../../schemas/telemetry.ts';
import type { Unavailable } from '../collectors/collector.ts';
import type { LoopOpened } from './loop-worker.ts';
import type { FoundSource } from './open-sources.ts';
import { sourceKeyText } from './sample-columns.ts';
import type { SourceKey } from './sample-columns.ts';
import type { LoopSourceStatistics } from './sample-loop.ts';
import type { SlowSampling } from './slow-sampling.ts';

/** Reasons longer than this are cut, as the schema has it. */
const TEXT_MAX = 512;

const NOTHING: Unavailable = { unavailable: 'there was never anything to read' };

/** A source that the loop was to read. */
export interface FastEntry {
  readonly key: SourceKey;
  /** Undefined if it was gone when the loop opened it. */
  readonly opened: LoopOpened | undefined;
}

/** How the sources of a trial fared, as its sampling knows it. */
export interface SourcesOutcome {
  readonly wantedHz: number;
  readonly found: readonly FoundSource[];
  readonly fast: readonly FastEntry[];
  /** Of the fast ones that were opened, in their order. */
  readonly statistics: readonly LoopSourceStatistics[];
  readonly slow: readonly SlowSampling[];
  /** Readings of each source, by its key. */
  readonly counts: ReadonlyMap<string, number>;
}

interface Fared {
  /** If there are readings. */
  readonly sampled: Pick<SourceReport, 'rateHz' | 'limitedBy'>;
  /** If there are none. */
  readonly none: Unavailable;
}

/** Says of each source how it was sampled, or why it was not. */
export function reportSources(outcome: SourcesOutcome): SourceReport[] {
  const fared = new Map([...fastFared(outcome), ...slowFared(outcome)]);
  return outcome.found.map(({ key, opened }) => {
    const text = sourceKeyText(key);
    const samples = outcome.counts.get(text) ?? 0;
    const { sampled = {}, none = NOTHING } = fared.get(text) ?? {};
    if (samples > 0) return { ...key, samples, ...sampled };
    const { unavailable, remedy } = 'unavailable' in opened ? opened : none;
    return {
      ...{ ...key, samples, unavailable: unavailable.slice(0, TEXT_MAX) },
      ...(remedy === undefined ? {} : { remedy: remedy.slice(0, TEXT_MAX) }),
    };
  });
}

function* fastFared(outcome: SourcesOutcome): Generator<[string, Fared]> {
  let place = 0;
  for (const { key, opened } of outcome.fast) {
    const text = sourceKeyText(key);
    // One that was gone when the loop opened it has no statistics.
    const statistics = opened === undefined ? undefined : outcome.statistics[place++];
    if (opened === undefined || statistics === undefined) {
      yield [text, { sampled: {}, none: { unavailable: 'it was gone when sampling began' } }];
      continue;
    }
    const { rateHz, failure, isThinned } = statistics;
    yield [text, describe(outcome, { rateHz, failure, isThinned, limitedBy: opened.limitedBy })];
  }
}

function* slowFared(outcome: SourcesOutcome): Generator<[string, Fared]> {
  for (const slow of outcome.slow) yield [sourceKeyText(slow.key), describe(outcome, slow)];
}

interface Sampled {
  readonly rateHz: number;
  readonly failure: string | undefined;
  readonly isThinned: boolean;
  /** Undefined if the source itself did not limit it. */
  readonly limitedBy: string | undefined;
}

function describe({ wantedHz }: SourcesOutcome, sampled: Sampled): Fared {
  const { rateHz, failure, isThinned, limitedBy } = sampled;
  const reasons = [
    ...(rateHz < wantedHz && limitedBy !== undefined ? [limitedBy] : []),
    ...(isThinned ? ['the memory for samples was full, so every second one was dropped'] : []),
    ...(failure === undefined ? [] : [`it was given up: ${failure}`]),
  ];
  const why = reasons.length === 0 ? {} : { limitedBy: reasons.join('; ').slice(0, TEXT_MAX) };
  const none = failure === undefined ? NOTHING : { unavailable: failure };
  return { sampled: { rateHz, ...why }, none };
}
