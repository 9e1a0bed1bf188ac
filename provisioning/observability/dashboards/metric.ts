import { HEALTH_METRICS } from '../../../schemas/health-metrics.ts';
import type { HealthMetric } from '../../../schemas/health-metrics.ts';
import { SAMPLED_METRICS } from '../../../schemas/telemetry-names.ts';
import type { SampledMetric } from '../../../schemas/telemetry-names.ts';
import { prometheusName } from '../prometheus-name.ts';

/** A selector of one metric by its OpenTelemetry name, with matchers as PromQL has them. */
export function metric(name: SampledMetric | HealthMetric, ...matchers: string[]): string {
  const definition = { ...SAMPLED_METRICS, ...HEALTH_METRICS }[name];
  const braces = matchers.length === 0 ? '' : `{${matchers.join(', ')}}`;
  return `${prometheusName(name, definition)}${braces}`;
}

/** The last value that a counter or a peak reached in a trial, over the time that is shown. */
export function reached(selector: string): string {
  return `max_over_time(${selector}[$__range])`;
}

/** By how much a counter grew while it was sampled, over the time that is shown. */
export function grown(selector: string): string {
  return `(max_over_time(${selector}[$__range]) - min_over_time(${selector}[$__range]))`;
}
