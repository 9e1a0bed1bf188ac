import type { Meter, ObservableResult } from '@opentelemetry/api';
import { HEALTH_METRICS } from '../../schemas/health-metrics.ts';
import type { HealthMetric } from '../../schemas/health-metrics.ts';

/** A value and what tells its series apart. */
export interface HealthPoint {
  readonly value: number;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Reads one metric when it is asked for. A metric that can't be read now has no points. */
export type HealthGetter = () => readonly HealthPoint[] | Promise<readonly HealthPoint[]>;

/** Getters by the name of their metric. */
export type HealthGetters = Partial<Record<HealthMetric, HealthGetter>>;

/**
 * Registers an instrument per getter, with unit and description of its definition. A getter that
 * throws leaves its metric out of that turn.
 */
export function observeHealth(meter: Meter, getters: HealthGetters): void {
  for (const [name, getter] of Object.entries(getters) as [HealthMetric, HealthGetter][]) {
    const { kind, unit, description } = HEALTH_METRICS[name];
    const options = { unit, description };
    const instrument = {
      counter: () => meter.createObservableCounter(name, options),
      level: () => meter.createObservableUpDownCounter(name, options),
      gauge: () => meter.createObservableGauge(name, options),
    }[kind]();
    instrument.addCallback((result) => observe(result, getter));
  }
}

/** One value without attributes; none if it is absent. */
export function single(value: number | undefined): HealthPoint[] {
  return value === undefined ? [] : [{ value }];
}

/** Values by the value of one attribute. */
export function byAttribute(
  attribute: string,
  values: Readonly<Record<string, number>>,
): HealthPoint[] {
  return Object.entries(values).map(([key, value]) => ({
    value,
    attributes: { [attribute]: key },
  }));
}

async function observe(result: ObservableResult, getter: HealthGetter): Promise<void> {
  let points: readonly HealthPoint[];
  try {
    points = await getter();
  } catch {
    return;
  }
  for (const { value, attributes } of points) result.observe(value, { ...attributes });
}
