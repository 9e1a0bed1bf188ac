import { z } from 'zod';
import type { Reading } from './collector.ts';

const KEYS_MAX = 256;
const Value = z.union([z.int().min(0), z.record(z.string().max(96), z.int().min(0))]);
const Component = z.record(z.string().max(96), Value);

/** What an operator adds to each line, in words of his own. */
const OPERATOR_KEY = 'properties';

/**
 * One line of Firecracker's metrics: components, their counters, and in those of latencies the
 * extremes and the sum. Source: Firecracker, docs/metrics.md.
 */
const MetricsLine = z
  .looseObject({ utc_timestamp_ms: z.int().min(0) })
  .transform((line) =>
    Object.fromEntries(
      Object.entries(line).filter(
        ([key, value]) => key !== OPERATOR_KEY && typeof value === 'object',
      ),
    ),
  )
  .pipe(z.record(z.string().max(96), Component))
  .refine((components) => Object.keys(components).length <= KEYS_MAX, 'too many components');
type Component = z.output<typeof Component>;

/** Parts that every Firecracker has; a zero of theirs was counted. */
const ALWAYS_THERE = new Set([
  'api_server',
  'deprecated_api',
  'get_api_requests',
  'interrupts',
  'logger',
  'patch_api_requests',
  'put_api_requests',
  'seccomp',
  'signals',
  'uart',
  'vcpu',
  'vmm',
]);

/** Counters that are told as they stand; all others as what was added since the line before. */
const TOLD_WHOLE: Readonly<Record<string, (stat: string) => boolean>> = {
  seccomp: () => true,
  signals: (stat) => stat !== 'sigpipe',
  vmm: (stat) => stat === 'panic_count',
};

const US_PER_S = 1e6;

/**
 * Adds up what Firecracker writes line by line. Firecracker writes zeros for parts that the guest
 * does not have, and for extremes and latencies of what never happened: these are no readings.
 */
export class FirecrackerSums {
  readonly #values = new Map<string, Map<string, number>>();
  readonly #latencies = new Map<string, Map<string, number>>();
  readonly #present = new Set(ALWAYS_THERE);

  /**
   * Takes the next line.
   *
   * @throws ZodError or SyntaxError if it is no line of Firecracker's metrics.
   */
  add(line: string): void {
    const components = MetricsLine.parse(JSON.parse(line));
    const names = Object.keys(components);
    for (const [name, component] of Object.entries(components)) {
      for (const [stat, told] of Object.entries(component)) this.#addStat(name, stat, told);
      // There is a sum over all devices of a kind, also over none; those of a device are told only
      // if it is there.
      if (/^(?:block|net|pmem|vhost_user)_./.test(name)) this.#present.add(name);
    }
    for (const kind of ['block', 'net', 'pmem']) {
      if (names.some((name) => name.startsWith(`${kind}_`))) this.#present.add(kind);
    }
  }

  /** What is known so far, with as many series as there are counters of parts that are there. */
  readings(): Reading[] {
    return [
      ...this.#readingsOf(this.#values, 'lockstep.firecracker.count'),
      ...this.#readingsOf(this.#latencies, 'lockstep.firecracker.latency'),
    ];
  }

  #addStat(component: string, stat: string, told: Component[string]): void {
    if (typeof told !== 'number') {
      for (const [part, value] of Object.entries(told)) {
        if (part === 'min_us' || part === 'max_us') {
          this.#setLatency(component, `${stat}.${part}`, value);
        } else this.#addCount(component, `${stat}.${part}`, value);
      }
    } else if (component === 'latencies_us' || stat.startsWith('process_startup_time')) {
      this.#setLatency(component, stat, told);
    } else if (TOLD_WHOLE[component]?.(stat) === true) {
      this.#set(this.#values, [component, stat], told);
    } else this.#addCount(component, stat, told);
    if (told !== 0 && typeof told === 'number') this.#present.add(component);
  }

  #addCount(component: string, stat: string, added: number): void {
    const before = this.#values.get(component)?.get(stat) ?? 0;
    this.#set(this.#values, [component, stat], before + added);
  }

  #setLatency(component: string, stat: string, us: number): void {
    if (us > 0) this.#set(this.#latencies, [component, stat], us / US_PER_S);
  }

  #set(
    values: Map<string, Map<string, number>>,
    [component, stat]: readonly [string, string],
    value: number,
  ): void {
    const known = values.get(component) ?? new Map<string, number>();
    known.set(stat, value);
    values.set(component, known);
  }

  #readingsOf(
    values: Map<string, Map<string, number>>,
    metric: 'lockstep.firecracker.count' | 'lockstep.firecracker.latency',
  ): Reading[] {
    return [...values].flatMap(([component, stats]) => {
      if (metric === 'lockstep.firecracker.count' && !this.#present.has(component)) return [];
      return [...stats].map(([stat, value]) => ({
        metric,
        attributes: { 'lockstep.component': component, 'lockstep.stat': stat },
        value,
      }));
    });
  }
}
