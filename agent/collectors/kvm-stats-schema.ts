import { z } from 'zod';
import type { SampledMetric } from '../../schemas/telemetry-names.ts';
import type { Reading } from './collector.ts';

const STATS_MAX = 1024;
const BUCKETS_MAX = 4096;
const VCPUS_MAX = 4096;
const Name = z.string().max(96);

/** What QEMU tells of one statistic. Source: QEMU, qapi/stats.json. */
const Description = z.object({
  name: Name,
  type: z.string().max(64),
  unit: z.string().max(64).optional(),
  base: z.int().min(2).max(16).optional(),
  exponent: z.int().min(-60).max(60),
});
type Description = z.output<typeof Description>;

/** The answer to query-stats-schemas. */
export const StatsSchemas = z
  .array(
    z.object({
      provider: z.string().max(64),
      target: z.string().max(64),
      stats: z.array(Description).max(STATS_MAX),
    }),
  )
  .max(64);
export type StatsSchemas = z.output<typeof StatsSchemas>;

/** The answer to query-stats. */
export const StatsResults = z
  .array(
    z.object({
      provider: z.string().max(64),
      'qom-path': z.string().max(256).optional(),
      stats: z
        .array(
          z.object({
            name: Name,
            value: z.union([z.number(), z.boolean(), z.array(z.number()).max(BUCKETS_MAX)]),
          }),
        )
        .max(STATS_MAX),
    }),
  )
  .max(VCPUS_MAX);
export type StatsResults = z.output<typeof StatsResults>;

/** The answer to query-cpus-fast: which object is which vCPU. */
export const Vcpus = z
  .array(z.object({ 'cpu-index': z.int().min(0), 'qom-path': z.string().max(256) }))
  .max(VCPUS_MAX);

/** How one statistic becomes readings. */
interface StatPlan {
  readonly metric: SampledMetric;
  readonly isHistogram: boolean;
  /** From the value told to the metric's unit. */
  scale(value: number): number;
}

/** The statistics of KVM that there are for guests and for vCPUs, by name. */
export type StatPlans = ReadonlyMap<string, StatPlan>;

/**
 * Plans what becomes of the statistics of a target; those of kinds not known here are left out.
 *
 * @param target vm or vcpu
 */
export function planStats(schemas: StatsSchemas, target: string): StatPlans {
  const plans = new Map<string, StatPlan>();
  for (const schema of schemas) {
    if (schema.provider !== 'kvm' || schema.target !== target) continue;
    for (const description of schema.stats) {
      const plan = planStat(description);
      if (plan !== undefined) plans.set(description.name, plan);
    }
  }
  return plans;
}

function planStat({ type, unit, base, exponent }: Description): StatPlan | undefined {
  const scale = scaleOf(base ?? 10, exponent);
  switch (type) {
    case 'cumulative':
      return {
        metric: unit === 'seconds' ? 'lockstep.kvm.time' : 'lockstep.kvm.count',
        isHistogram: false,
        scale,
      };
    case 'instant':
    case 'peak':
      return { metric: 'lockstep.kvm.level', isHistogram: false, scale };
    case 'linear-histogram':
    case 'log2-histogram':
      // Unit and exponent are of the limits of the buckets. What is in them are numbers of events.
      return { metric: 'lockstep.kvm.count', isHistogram: true, scale: (value) => value };
    default:
      return undefined;
  }
}

// Dividing by a power of ten is exact where multiplying by its inverse is not.
function scaleOf(base: number, exponent: number): (value: number) => number {
  const factor = base ** Math.abs(exponent);
  if (exponent === 0) return (value) => value;
  return exponent < 0 ? (value) => value / factor : (value) => value * factor;
}

/**
 * The readings in one target's statistics. Of a histogram each bucket with something in it is one,
 * with its number in the name: `halt_wait_hist[12]`; what it holds never falls. A bucket n of a
 * logarithmic one reaches from 2^(n-1) to 2^n, in the unit of the histogram, which for KVM is ns.
 *
 * @param thread vcpu-0, vcpu-1, …; absent for the whole guest
 */
export function readingsOfStats(
  stats: StatsResults[number]['stats'],
  plans: StatPlans,
  thread?: string,
): Reading[] {
  const readings: Reading[] = [];
  for (const { name, value } of stats) {
    const plan = plans.get(name);
    if (plan === undefined) continue;
    const add = (stat: string, told: number): void => {
      readings.push({
        metric: plan.metric,
        attributes: {
          'lockstep.stat': stat,
          ...(thread === undefined ? {} : { 'lockstep.thread': thread }),
        },
        value: plan.scale(told),
      });
    };
    if (plan.isHistogram) {
      if (!Array.isArray(value)) continue;
      value.forEach((count, bucket) => {
        if (count > 0) add(`${name}[${bucket}]`, count);
      });
    } else if (!Array.isArray(value)) add(name, Number(value));
  }
  return readings;
}
