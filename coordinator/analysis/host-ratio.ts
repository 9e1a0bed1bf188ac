import { groupBy } from './measured-result.ts';
import type { Unit } from './run-summary.ts';
import type { BootstrapOptions } from './statistics/bootstrap.ts';
import { medianRatio, pairedMedianRatio } from './statistics/ratio-interval.ts';
import type { MedianRatio } from './statistics/ratio-interval.ts';

/** A value and where it comes from; the same host has the same name on both sides. */
export type HostedValue = Pick<Unit, 'host' | 'valueNs'>;

/**
 * The ratio of medians of two lots of values, with the interval that their hosts allow: over pairs
 * if two hosts or more are on both sides, else over the hosts of each side, and within the host if
 * there is one on each. Agents that share a host never count as independent.
 *
 * @returns undefined if a side has no value or a median is not positive
 */
export function hostRatio(
  first: readonly HostedValue[],
  second: readonly HostedValue[],
  options: BootstrapOptions,
): MedianRatio | undefined {
  const [before, after] = [valuesByHost(first), valuesByHost(second)];
  const shared = [...before.keys()].filter((host) => after.has(host));
  if (shared.length >= 2) {
    return pairedMedianRatio(
      shared.map((host) => [before.get(host) ?? [], after.get(host) ?? []]),
      options,
    );
  }
  return medianRatio([...before.values()], [...after.values()], options);
}

function valuesByHost(values: readonly HostedValue[]): Map<string, number[]> {
  const groups = groupBy(values, ({ host }) => host);
  return new Map(
    [...groups].map(([host, own]) => [host, own.map(({ valueNs }) => valueNs)] as const),
  );
}
