import type { QuantityName } from './quantities.ts';
import type { Target } from './targets.ts';

/** The language of a function, as the study tells them apart. */
export type Language = 'go' | 'node';

/** What a published figure is of. */
export interface PublishedKey {
  /** Name of the experiment in the suite. */
  readonly experiment: string;
  readonly quantity: QuantityName;
  readonly target: Target;
  readonly language: Language;
  /** Sandboxes at once. Absent: where it is one, or a slope over them. */
  readonly instances?: number;
}

/** What the study published of one target in one experiment. */
export interface PublishedFigure {
  /** In the unit of the quantity. Absent where only the ratio is known. */
  readonly value?: number;
  /** To Linux on Firecracker. Absent for it, and where that has no figure. */
  readonly ratio?: number;
  /** 95 %, of the ratio. Absent where none is known. */
  readonly interval?: readonly [lower: number, upper: number];
  readonly statistic: string;
  /** File of the artefact. */
  readonly source: string;
}

/** Where all figures are from. */
export const PUBLISHED_SOURCE =
  'arXiv 2403.00515 (Moebius, Pfandzelter, Bermbach, 2024), by its artefact ' +
  'OpenFogStack/unikernel-edge-faas at 5ee53e9; one x86-64 host, 1 vCPU and 512 MiB per sandbox';

type Targets<T> = Partial<Record<Target, T>>;

interface Group {
  readonly experiment: string;
  readonly quantity: QuantityName;
  readonly language: Language;
  readonly instances?: number;
  readonly statistic: string;
  readonly source: string;
  /** In `size` units of the quantity. */
  readonly values?: Targets<number>;
  readonly size?: number;
  /** To Linux: ratio, lower and upper end. */
  readonly ratios?: Targets<readonly [number, number?, number?]>;
}

const MS = 1e6;
const MIB = 2 ** 20;
const RATIO_OF_MEDIANS = 'ratio of medians, n = 100, bootstrap';
const BATCH = { experiment: 'burst', quantity: 'latency', instances: 100, size: 1e9 } as const;
const SLOPE = { experiment: 'idle-memory', quantity: 'available', size: MIB } as const;
const MEANS = { language: 'go', statistic: 'mean, n = 100', size: MS } as const;

const GROUPS: readonly Group[] = [
  {
    ...{ experiment: 'cold-start', quantity: 'latency', language: 'go' },
    ...{ statistic: RATIO_OF_MEDIANS, source: 'cold-start.csv' },
    ratios: {
      nanos: [0.28, 0.269, 0.291],
      osv: [0.281, 0.273, 0.289],
      docker: [0.924, 0.908, 0.943],
      gvisor: [1.67, 1.64, 1.7],
    },
  },
  {
    ...{ experiment: 'cold-start', quantity: 'latency', language: 'node' },
    ...{ statistic: RATIO_OF_MEDIANS, source: 'cold-start.csv' },
    ratios: {
      nanos: [0.479, 0.469, 0.487],
      osv: [0.599, 0.59, 0.608],
      docker: [0.79, 0.782, 0.799],
      gvisor: [1.55, 1.53, 1.58],
    },
  },
  {
    ...{ ...BATCH, language: 'go', statistic: 'makespan of one batch', source: 'burst/time.csv' },
    values: { osv: 0.89, nanos: 0.99, linux: 5.01, docker: 12, gvisor: 13.1 },
  },
  {
    ...{ ...BATCH, language: 'node', statistic: 'makespan of one batch', source: 'burst/time.csv' },
    values: { nanos: 4.06, osv: 4.78, linux: 6.99, docker: 11.9, gvisor: 22.7 },
  },
  {
    ...{ experiment: 'startup-cached', quantity: 'latency', language: 'go', size: MS },
    statistic: 'mean from the first entry of the guest to its ready call, n = 100',
    source: 'startup-times.csv',
    values: { linux: 321, nanos: 44, osv: 47 },
  },
  {
    ...{ experiment: 'startup-cached', quantity: 'latency', language: 'node', size: MS },
    statistic: 'mean from the first entry of the guest to its ready call, n = 100',
    source: 'startup-times.csv',
    values: { linux: 416, nanos: 224, osv: 208 },
  },
  {
    ...{ ...SLOPE, language: 'go', statistic: 'slope of one series', source: 'memory.csv' },
    values: { docker: 4.55, nanos: 24.3, gvisor: 25, osv: 32, linux: 60.6 },
  },
  {
    ...{ ...SLOPE, language: 'node', statistic: 'slope of one series', source: 'memory.csv' },
    values: { docker: 16, gvisor: 38.3, osv: 58, linux: 93.9, nanos: 161.6 },
  },
  {
    ...{ experiment: 'idle-instructions', quantity: 'instructions', language: 'go' },
    ...{ statistic: 'ratio of medians, one sandbox', source: 'instructions.csv' },
    ratios: { osv: [153] },
  },
  {
    ...{ experiment: 'idle-instructions', quantity: 'instructions', language: 'node' },
    ...{ statistic: 'ratio of medians, one sandbox', source: 'instructions.csv' },
    ratios: { osv: [141] },
  },
  {
    ...{ experiment: 'cpu-fib', quantity: 'first call', language: 'go', size: MS },
    ...{ statistic: 'median, n = 100', source: 'fib.csv' },
    values: { docker: 492.9, gvisor: 497.3, linux: 493.9, nanos: 493.4, osv: 488.5 },
  },
  {
    ...{ experiment: 'cpu-fib', quantity: 'later calls', language: 'go', size: MS },
    ...{ statistic: 'median, n = 100', source: 'fib.csv' },
    values: { docker: 492.35, gvisor: 497, linux: 490.8, nanos: 492.9, osv: 485.7 },
  },
  {
    ...{ experiment: 'cpu-fft', quantity: 'first work', language: 'go', size: MS },
    ...{ statistic: 'typical of n = 100, clock of the guest in whole ms', source: 'fft.csv' },
    values: { docker: 44, linux: 55, gvisor: 56, osv: 61, nanos: 65 },
  },
  {
    ...{ experiment: 'cpu-fft', quantity: 'later work', language: 'go', size: MS },
    ...{ statistic: 'typical of n = 100, clock of the guest in whole ms', source: 'fft.csv' },
    values: { linux: 35, nanos: 37, docker: 38, gvisor: 39, osv: 45 },
  },
  {
    ...{ ...MEANS, experiment: 'alloc', quantity: 'first call', source: 'alloc.csv' },
    values: { docker: 18.8, osv: 41.6, linux: 42.7, gvisor: 42.7, nanos: 56.2 },
  },
  {
    ...{ ...MEANS, experiment: 'alloc', quantity: 'later calls', source: 'alloc.csv' },
    values: { docker: 7.5, osv: 8.3, linux: 42, gvisor: 35, nanos: 55.3 },
  },
  {
    ...{ ...MEANS, experiment: 'read', quantity: 'first call', source: 'read.csv' },
    values: { docker: 86.7, linux: 123, gvisor: 163, osv: 181, nanos: 199 },
  },
  {
    ...{ ...MEANS, experiment: 'read', quantity: 'later calls', source: 'read.csv' },
    values: { docker: 61.4, linux: 78, gvisor: 112, osv: 49.4, nanos: 113 },
  },
  {
    ...{ ...MEANS, experiment: 'unzip', quantity: 'first call', source: 'unzip.csv' },
    statistic: 'mean, n = 100; OSv on ZFS',
    values: { docker: 37.6, gvisor: 68.8, linux: 100, nanos: 124, osv: 672 },
  },
  {
    ...{ experiment: 'network-simple', quantity: 'connection limit', language: 'go', size: 1 },
    ...{ statistic: 'one run; 4096 was the most tried', source: 'network/data' },
    values: { nanos: 128, gvisor: 512, linux: 4096, osv: 4096, runc: 4096 },
  },
  {
    ...{ experiment: 'network-file', quantity: 'bytes at 4', language: 'go', size: MIB },
    ...{ statistic: 'one run', source: 'network/data' },
    values: { linux: 3519, runc: 2985, osv: 2852, nanos: 272, gvisor: 181 },
  },
  {
    ...{ experiment: 'warm', quantity: 'later calls', language: 'go', size: MS },
    ...{ statistic: 'mean of 1000 direct calls; two modes', source: 'overhead.csv' },
    values: { nanos: 1.26 },
  },
];

/** What the study published of that; undefined for nothing. */
export function publishedFigure(key: PublishedKey): PublishedFigure | undefined {
  const group = GROUPS.find(
    (one) =>
      one.experiment === key.experiment &&
      one.quantity === key.quantity &&
      one.language === key.language &&
      (one.instances === undefined || one.instances === key.instances),
  );
  if (group === undefined) return undefined;
  const { values = {}, ratios = {}, size = 1, statistic, source } = group;
  const value = values[key.target];
  const [given, lower, upper] = ratios[key.target] ?? [];
  const ratio = given ?? ratioOf(value, key.target === 'linux' ? undefined : values.linux);
  if (value === undefined && ratio === undefined) return undefined;
  return {
    ...(value === undefined ? {} : { value: value * size }),
    ...(ratio === undefined ? {} : { ratio }),
    ...(lower === undefined || upper === undefined ? {} : { interval: [lower, upper] as const }),
    statistic,
    source,
  };
}

/** Every key that has a figure, for lists of them. */
export function publishedKeys(): PublishedKey[] {
  return GROUPS.flatMap(({ experiment, quantity, language, instances, values, ratios }) =>
    [...new Set(Object.keys({ ...values, ...ratios }))].map((target) => ({
      ...{ experiment, quantity, language, target: target as Target },
      ...(instances === undefined ? {} : { instances }),
    })),
  );
}

function ratioOf(value: number | undefined, reference: number | undefined): number | undefined {
  return value === undefined || reference === undefined ? undefined : value / reference;
}
