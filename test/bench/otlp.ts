import { constants, gzipSync } from 'node:zlib';
import { ValueType } from '@opentelemetry/api';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { median, quantile } from '../../coordinator/analysis/quantile.ts';
import { SAMPLED_METRICS } from '../../schemas/telemetry-names.ts';
import type { MetricDefinition, SampledMetric } from '../../schemas/telemetry-names.ts';
import { encodeSamples } from '../../telemetry/otlp/encode-samples.ts';
import type { SampleSeries } from '../../telemetry/otlp/encode-samples.ts';
import type { Benchmark, BenchmarkValue } from './benchmark.ts';

const POINTS = 1000;
const SERIES = 24;
const START_UTC_NS = 1_795_459_200_000_000_000n;
const STEP_NS = 10_000_000;
const JITTER_NS = 80_000;
const NS_PER_SECOND = 1_000_000_000n;
const RESOURCE = { 'service.name': 'lockstep-agent', 'lockstep.trial.id': 'trial-1' };

/** Kinds of series: the metric, its attributes and how its value goes on. */
const KINDS: Readonly<
  Record<string, { metric: SampledMetric; attributes: boolean; next: (value: number) => number }>
> = {
  'CPU seconds': { metric: 'container.cpu.time', attributes: false, next: addMicroseconds },
  'CPU seconds, 2 attributes': {
    metric: 'lockstep.kvm.time',
    attributes: true,
    next: addMicroseconds,
  },
  'counts, 2 attributes': {
    metric: 'lockstep.kvm.count',
    attributes: true,
    next: (v) => v + below(300),
  },
  bytes: {
    metric: 'container.memory.usage',
    attributes: false,
    next: (v) => v + 4096 * (below(3) - 1),
  },
  'temperature, 2 attributes': { metric: 'hw.temperature', attributes: true, next: (v) => v },
};

/** What encoding samples costs, beside the serializer of OpenTelemetry on the same points. */
export const otlpBenchmark: Benchmark = {
  name: 'otlp',
  description: 'How fast are samples encoded as OTLP, and how small, on one core?',
  run({ full, log }) {
    const rounds = full ? 300 : 30;
    const rows: BenchmarkValue[][] = [];
    for (const name of [...Object.keys(KINDS), 'all together']) {
      log(name);
      const names = name === 'all together' ? Object.keys(KINDS) : [name];
      rows.push(...measure(name, names.flatMap(makeSeries), rounds));
    }
    return Promise.resolve({
      columns: [
        ...['series', 'encoder', 'points', 'medianPointsPerSecond', 'p5PointsPerSecond'],
        ...['bytesPerPoint', 'gzip1BytesPerPoint'],
      ],
      rows,
      notes: [
        `${SERIES} series of each kind with ${POINTS} points at 100 Hz; both encoders by turns.`,
        'The points of the serializer are made before; Lockstep encodes from the columns.',
      ],
    });
  },
};

function below(limit: number): number {
  return Math.floor(Math.random() * limit);
}

function addMicroseconds(value: number): number {
  return Math.round(value * 1e6 + below(10_000)) / 1e6;
}

function makeSeries(kind: string): SampleSeries[] {
  const made = KINDS[kind];
  if (made === undefined) throw new Error(`no kind ${kind}`);
  const { metric, attributes, next } = made;
  const names = SAMPLED_METRICS[metric].attributes;
  return Array.from({ length: SERIES }, (_, index) => {
    let value = 1000 + index;
    return {
      metric,
      ...(attributes
        ? { attributes: Object.fromEntries(names.map((name) => [name, `value-${index}`])) }
        : {}),
      startUtcNs: START_UTC_NS,
      utcNs: BigInt64Array.from(
        { length: POINTS },
        (_, at) => START_UTC_NS + BigInt(at * STEP_NS + below(JITTER_NS)),
      ),
      values: Float64Array.from({ length: POINTS }, () => (value = next(value))),
    };
  });
}

function measure(
  name: string,
  series: readonly SampleSeries[],
  rounds: number,
): BenchmarkValue[][] {
  const points = series.length * POINTS;
  const resources = [{ attributes: RESOURCE, series }];
  const forSerializer = toResourceMetrics(series);
  const encoders = {
    Lockstep: (): Uint8Array => only([...encodeSamples(resources, { pointsMax: points })]).bytes,
    OpenTelemetry: (): Uint8Array =>
      ProtobufMetricsSerializer.serializeRequest(forSerializer) ?? new Uint8Array(),
  };
  const rates = { Lockstep: [] as number[], OpenTelemetry: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    for (const encoder of ['Lockstep', 'OpenTelemetry'] as const) {
      const beganAtMs = performance.now();
      encoders[encoder]();
      rates[encoder].push((points / (performance.now() - beganAtMs)) * 1000);
    }
  }
  return (['Lockstep', 'OpenTelemetry'] as const).map((encoder) => {
    const bytes = encoders[encoder]();
    const packed = gzipSync(bytes, { level: constants.Z_BEST_SPEED });
    return [
      ...[name, encoder, points, median(rates[encoder]), quantile(rates[encoder], 0.05)],
      ...[bytes.length / points, packed.length / points],
    ];
  });
}

function only<T>(values: readonly T[]): T {
  const [value] = values;
  if (value === undefined || values.length > 1)
    throw new Error('the points are not in one request');
  return value;
}

/** The same points as objects of OpenTelemetry. */
function toResourceMetrics(series: readonly SampleSeries[]): ResourceMetrics {
  const metrics = [...Map.groupBy(series, ({ metric }) => metric)].map(([name, ofMetric]) => {
    const { kind, unit, description }: MetricDefinition = SAMPLED_METRICS[name];
    return {
      descriptor: { name, unit, description, valueType: ValueType.DOUBLE, advice: {} },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      ...(kind === 'gauge'
        ? { dataPointType: DataPointType.GAUGE as const }
        : { dataPointType: DataPointType.SUM as const, isMonotonic: kind === 'counter' }),
      dataPoints: ofMetric.flatMap(({ attributes = {}, utcNs, values }) =>
        Array.from(values, (value, index) => ({
          startTime: toHrTime(START_UTC_NS),
          endTime: toHrTime(utcNs[index] ?? 0n),
          attributes,
          value,
        })),
      ),
    };
  });
  const scopeMetrics = [{ scope: { name: 'lockstep' }, metrics }];
  return { resource: resourceFromAttributes(RESOURCE), scopeMetrics };
}

function toHrTime(utcNs: bigint): [number, number] {
  return [Number(utcNs / NS_PER_SECOND), Number(utcNs % NS_PER_SECOND)];
}
