import type { Interval } from '../analysis/run-summary.ts';
import type { MedianRatio } from '../analysis/statistics/ratio-interval.ts';

/** What a claim of the study comes to here. */
export const CLAIM_VERDICTS = {
  reproduced: 'reproduced',
  'not-reproduced': 'not reproduced',
  'not-measurable': 'not measurable here',
} as const;
export type ClaimVerdict = keyof typeof CLAIM_VERDICTS;

/** A verdict with what it rests on, as a sentence without its full stop. */
export interface Judgement {
  readonly verdict: ClaimVerdict;
  readonly why: string;
}

/** Hosts differ: a ratio that is off by at most this factor is of the size that was claimed. */
export const SIZE_FACTOR = 1.5;

/** Targets compute alike if no two medians differ by more than this share. */
export const SPREAD_MAX = 0.04;

/** Independent trials that a limit must have been found in, as for the interval of a median. */
export const LIMIT_TRIALS_MIN = 5;

/**
 * The ratios that agree with a published one: of its size within {@link SIZE_FACTOR}, and on its
 * side of 1.
 *
 * @param published not 1: that claims no direction
 */
export function bandOf(published: number): { readonly lower: number; readonly upper: number } {
  const [lower, upper] = [published / SIZE_FACTOR, published * SIZE_FACTOR];
  return published < 1
    ? { lower, upper: Math.min(upper, 1) }
    : { lower: Math.max(lower, 1), upper };
}

/**
 * Judges a ratio by its interval: reproduced if all of it lies in the band of the published ratio,
 * not reproduced if none of it does, else undecided. An end that is 1 itself names no direction.
 */
export function judgeRatio(published: number, ours: MedianRatio | undefined): Judgement {
  if (ours === undefined) {
    return { verdict: 'not-measurable', why: 'a side has no value, or one that is not positive' };
  }
  if (ours.interval === undefined) {
    return {
      verdict: 'not-measurable',
      why: `ratio ${figure(ours.ratio)} without an interval: fewer than 5 values on a side`,
    };
  }
  const band = bandOf(published);
  const text = `ratio ${figure(ours.ratio)} ${intervalText(ours.interval)}`;
  const bandText = `${figure(band.lower)} to ${figure(band.upper)}`;
  if (isInside(ours.interval, band)) {
    return { verdict: 'reproduced', why: `${text} lies within ${bandText}` };
  }
  if (isOutside(ours.interval, band)) {
    const isSameSide = published < 1 ? ours.interval.upper < 1 : ours.interval.lower > 1;
    const direction = isSameSide ? 'the direction agrees, the size does not' : 'another direction';
    return { verdict: 'not-reproduced', why: `${text} lies outside ${bandText}: ${direction}` };
  }
  return {
    verdict: 'not-measurable',
    why: `undecided: ${text} holds an end of ${bandText}; repeat more often`,
  };
}

/** Two targets and the ratio of their medians, with an interval corrected for all pairs. */
export interface PairRatio {
  readonly names: readonly [string, string];
  readonly ratio: MedianRatio | undefined;
}

/**
 * Judges that targets compute alike: reproduced if every pair's interval lies within
 * {@link SPREAD_MAX} of 1, not reproduced if that of one lies outside, else undecided.
 *
 * @param missing targets without values; all are needed to say that all are alike
 */
export function judgeSpread(pairs: readonly PairRatio[], missing: readonly string[]): Judgement {
  const band = { lower: 1 / (1 + SPREAD_MAX), upper: 1 + SPREAD_MAX };
  const percent = `${figure(SPREAD_MAX * 100)} %`;
  const apart = pairs.filter(({ ratio }) => ratio?.interval && isOutside(ratio.interval, band));
  const widest = apart.toSorted((a, b) => distance(b) - distance(a))[0];
  if (widest?.ratio?.interval !== undefined) {
    const { names, ratio } = widest;
    const text = `${figure(ratio.ratio)} ${intervalText(widest.ratio.interval)}`;
    return {
      verdict: 'not-reproduced',
      why: `${names.join(' to ')} is ${text}, more than ${percent} apart`,
    };
  }
  if (missing.length > 0) {
    return { verdict: 'not-measurable', why: `no values for ${missing.join('; ')}` };
  }
  const open = pairs.filter(({ ratio }) => !ratio?.interval || !isInside(ratio.interval, band));
  const [first] = open;
  if (first !== undefined) {
    return {
      verdict: 'not-measurable',
      why:
        `undecided for ${open.length} of ${pairs.length} pairs, such as ` +
        `${first.names.join(' to ')}: too few values, or an interval that holds ${percent}`,
    };
  }
  return { verdict: 'reproduced', why: `all ${pairs.length} pairs are within ${percent}` };
}

/** Judges a limit: reproduced if every trial found exactly it, not reproduced if none did. */
export function judgeLimit(published: number, found: readonly number[]): Judgement {
  if (found.length < LIMIT_TRIALS_MIN) {
    return {
      verdict: 'not-measurable',
      why: `${found.length} trials, fewer than ${LIMIT_TRIALS_MIN}: ${limitsText(found)}`,
    };
  }
  const same = found.filter((limit) => limit === published).length;
  const why = `${same} of ${found.length} trials found ${published}: ${limitsText(found)}`;
  if (same === found.length) return { verdict: 'reproduced', why };
  return same === 0
    ? { verdict: 'not-reproduced', why }
    : { verdict: 'not-measurable', why: `undecided: ${why}` };
}

/** All parts of a claim must be reproduced, and one that is not decides. */
export function judgeAll(verdicts: readonly ClaimVerdict[]): ClaimVerdict {
  if (verdicts.includes('not-reproduced')) return 'not-reproduced';
  const isWhole = verdicts.length > 0 && verdicts.every((verdict) => verdict === 'reproduced');
  return isWhole ? 'reproduced' : 'not-measurable';
}

/** To 3 digits. */
export function figure(value: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** Both ends to 3 digits. */
export function intervalText({ lower, upper }: Pick<Interval, 'lower' | 'upper'>): string {
  return `[${figure(lower)}, ${figure(upper)}]`;
}

interface Band {
  readonly lower: number;
  readonly upper: number;
}

function isInside({ lower, upper }: Band, band: Band): boolean {
  const isLow = band.lower === 1 ? lower > 1 : lower >= band.lower;
  const isHigh = band.upper === 1 ? upper < 1 : upper <= band.upper;
  return isLow && isHigh;
}

function isOutside({ lower, upper }: Band, band: Band): boolean {
  const isBelow = band.lower === 1 ? upper <= 1 : upper < band.lower;
  const isAbove = band.upper === 1 ? lower >= 1 : lower > band.upper;
  return isBelow || isAbove;
}

function distance({ ratio }: PairRatio): number {
  return ratio === undefined ? 0 : Math.abs(Math.log(ratio.ratio));
}

function limitsText(found: readonly number[]): string {
  if (found.length === 0) return 'none';
  return [...new Set(found)].toSorted((a, b) => a - b).join(', ');
}
