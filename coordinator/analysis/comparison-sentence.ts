import type { ComparisonGroup, SandboxComparison } from './cell-comparisons.ts';
import { formatMs } from './format-ms.ts';
import { counted } from './note.ts';

/** A p value above this is told as a difference that chance may make. */
const P_MAX = 0.05;

/** The answer to one comparison in plain words, with what the figures can't say. */
export function comparisonSentence(comparison: SandboxComparison): string {
  const { sandbox, baseline, n, ratio, mediansNs, pAdjusted, caution } = comparison;
  const [base, other] = mediansNs;
  if (n[1] === 0) return `${sandbox} can't be compared: it has no valid value.`;
  if (ratio === undefined || base === undefined || other === undefined) {
    return `${sandbox} can't be compared with ${baseline}: a median is not above 0.`;
  }
  const medians = `${formatMs(other)} against ${formatMs(base)} ms`;
  const basis = basisText(comparison);
  if (ratio.interval === undefined) {
    return (
      `${sandbox} took ${times(ratio.ratio)} times as long as ${baseline} ` +
      `(${medians}; ${basis}), ` +
      `which is no answer yet: ${caution ?? 'too few values for an interval'}.`
    );
  }
  const { lower, upper } = ratio.interval;
  const range = `[${times(lower)}, ${times(upper)}]`;
  const chance = pAdjusted === undefined ? '' : `${chanceText(pAdjusted)}; `;
  if (lower <= 1 && upper >= 1) {
    return (
      `${sandbox} and ${baseline} can't be told apart by their medians ` +
      `(${medians}): the interval ` +
      `of the ratio, ${times(ratio.ratio)} ${range}, holds 1; ${chance}${basis}.`
    );
  }
  const doubt =
    pAdjusted !== undefined && pAdjusted > P_MAX
      ? ' The interval excludes 1, but the test over all comparisons does not: repeat more often.'
      : '';
  return (
    `${sandbox} takes ${times(ratio.ratio)} times ${range} as long as ${baseline} (${medians}); ` +
    `${chance}${basis}.${doubt}`
  );
}

/** What holds for the intervals of a run's comparisons; empty if there are none. */
export function comparisonCautions(groups: readonly ComparisonGroup[]): string[] {
  const withInterval = groups
    .flatMap((group) => group.comparisons)
    .filter(({ ratio }) => ratio?.interval !== undefined);
  const cautions = [...new Set(withInterval.flatMap(({ caution }) => caution ?? []))].map(
    (caution) => `Of these intervals: ${caution}.`,
  );
  if (withInterval.some(({ ratio }) => ratio?.basis === 'trials')) {
    cautions.push(
      'Where all values come from one host, the interval says how sure the ratio is there, and ' +
        'nothing about other hosts.',
    );
  }
  const replaced = groups.find(({ unmeasuredBaseline }) => unmeasuredBaseline !== undefined);
  if (replaced?.unmeasuredBaseline !== undefined) {
    cautions.push(
      `Where ${replaced.unmeasuredBaseline}, the first sandbox of the experiment, has no valid ` +
        'value, the next one that has is the baseline.',
    );
  }
  return cautions;
}

/** A p value for people: never 0, never more digits than it is worth. */
export function pText(pValue: number): string {
  if (pValue < 0.001) return '< 0.001';
  return pValue > 0.999 ? '1' : pValue.toPrecision(2);
}

/** A ratio with about three digits that matter. */
export function times(ratio: number): string {
  if (ratio >= 100) return ratio.toFixed(0);
  if (ratio >= 10) return ratio.toFixed(1);
  return ratio >= 0.1 ? ratio.toFixed(2) : ratio.toPrecision(2);
}

function chanceText(pValue: number): string {
  const p = pText(pValue);
  return `a difference this large by chance: p ${p.startsWith('<') ? p : `= ${p}`}`;
}

function basisText({ n, hosts }: SandboxComparison): string {
  return `n = ${n[0]} and ${n[1]} trials on ${counted(hosts, 'host')}`;
}
