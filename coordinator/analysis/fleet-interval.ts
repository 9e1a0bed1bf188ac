import { groupBy } from './measured-result.ts';
import type { FleetInterval, Interval, Unit } from './run-summary.ts';
import { hostsCaution } from './statistics/interval-trust.ts';
import { locationInterval } from './statistics/location-interval.ts';

/**
 * The latency of a typical host, with its interval. The interval of a cell's pooled median says how
 * sure that median is on these hosts; this one how sure the typical host is of all hosts that these
 * were taken from. See `locationInterval`.
 *
 * @param units one value per trial and host
 * @returns undefined without values
 */
export function fleetInterval(
  units: readonly Pick<Unit, 'host' | 'valueNs'>[],
  { coverage }: { readonly coverage?: number } = {},
): FleetInterval | undefined {
  const byHost = groupBy(units, ({ host }) => host);
  const location = locationInterval(
    [...byHost.values()].map((own) => own.map(({ valueNs }) => valueNs)),
    coverage,
  );
  if (location === undefined) return undefined;
  const { estimate, interval } = location;
  const valuesMin = Math.min(...[...byHost.values()].map((own) => own.length));
  const caution = hostsCaution(byHost.size, valuesMin) ?? alikeCaution(interval);
  return {
    estimateNs: estimate,
    ...(interval === undefined ? {} : { interval }),
    hosts: byHost.size,
    ...(caution === undefined ? {} : { caution }),
  };
}

function alikeCaution(interval: Interval | undefined): string | undefined {
  return interval === undefined ? 'all hosts have the same median: no interval' : undefined;
}
