import { ValueType } from '@opentelemetry/api';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationTemporality, DataPointType, InstrumentType } from '@opentelemetry/sdk-metrics';
import type { MetricData } from '@opentelemetry/sdk-metrics';
import { HEALTH_METRICS } from '../../schemas/health-metrics.ts';
import type { HealthMetric } from '../../schemas/health-metrics.ts';
import { SAMPLED_METRICS } from '../../schemas/telemetry-names.ts';
import type { AttributeName } from '../../schemas/telemetry-attributes.ts';
import type { MetricDefinition, SampledMetric } from '../../schemas/telemetry-names.ts';
import { encodeSamples } from '../../telemetry/otlp/encode-samples.ts';
import type { SampleResource, SampleSeries } from '../../telemetry/otlp/encode-samples.ts';

const NS_PER_MS = 1_000_000n;
const POINTS_MAX = 20_000;

/** Values that attributes have on a real fleet. */
const ATTRIBUTE_VALUES: Partial<Record<AttributeName, readonly string[]>> = {
  'cpu.logical_number': ['0', '1'],
  'cpu.mode': ['user', 'system', 'idle'],
  'disk.io.direction': ['read', 'write'],
  'hw.id': ['thermal_zone0'],
  'hw.name': ['cpu-thermal'],
  'network.interface.name': ['eth0'],
  'network.io.direction': ['receive', 'transmit'],
  'system.device.name': ['mmcblk0'],
  'system.memory.state': ['used', 'free', 'cached', 'buffers'],
  'system.paging.fault.type': ['major', 'minor'],
  'lockstep.component': ['vcpu'],
  'lockstep.condition': ['under-voltage', 'throttled'],
  'lockstep.event': ['oom_kill'],
  'lockstep.memory.kind': ['file', 'kernel'],
  'lockstep.resource': ['cpu', 'memory', 'io'],
  'lockstep.since': ['now', 'boot'],
  'lockstep.stall': ['some', 'full'],
  'lockstep.stat': ['exits', 'halt_exits'],
  'lockstep.thread': ['vcpu-0', 'vmm'],
  'lockstep.telemetry.signal': ['traces', 'metrics', 'logs'],
  'lockstep.endpoint': ['metrics-db'],
  'lockstep.state': ['idle', 'busy', 'lost'],
  'lockstep.status': ['ok', 'failed'],
  'lockstep.run.state': ['queued', 'going'],
  'lockstep.outcome': ['accepted', 'rejected', 'refused', 'missed'],
  'lockstep.stream': ['LOCKSTEP_TELEMETRY'],
};

/** Begins the names of metrics that are of one sandbox. */
const OF_SANDBOX = /^(container\.|lockstep\.(sandbox|vmm|kvm|firecracker)\.)/;

/** One trial on one device. */
export interface ObservedTrial {
  readonly trialId: string;
  readonly deviceId: string;
  readonly sandbox: string;
  /** UTC of its first sample, ms since 1970. */
  readonly atUtcMs: number;
}

/** Rounds of samples of each trial, and the time between two. */
export const ROUNDS = 20;
export const ROUND_MS = 50;

/** All series that sources give in a trial, as agents export them. */
export function sampledResources(trial: ObservedTrial): SampleResource[] {
  const { trialId, deviceId, sandbox, atUtcMs } = trial;
  const device = {
    ...resourceOf('lockstep-agent', deviceId),
    'lockstep.run.id': 'run-1',
    'lockstep.trial.id': trialId,
    'lockstep.trial.attempt': '1',
  };
  const ofSandbox = {
    ...device,
    'lockstep.sandbox.kind': sandbox,
    'lockstep.function': 'hello-go',
    'lockstep.instance.index': '0',
  };
  const utcNs = BigInt64Array.from(
    { length: ROUNDS },
    (_, i) => BigInt(atUtcMs + i * ROUND_MS) * NS_PER_MS,
  );
  const names = Object.keys(SAMPLED_METRICS) as SampledMetric[];
  const series = (isOfSandbox: boolean): SampleSeries[] =>
    names
      .filter((metric) => OF_SANDBOX.test(metric) === isOfSandbox)
      .flatMap((metric) => seriesOf(metric, utcNs));
  return [
    { attributes: device, series: series(false) },
    { attributes: ofSandbox, series: series(true) },
  ];
}

/** The samples of trials as OTLP requests: protobuf, not compressed. */
export function encodeTrials(trials: readonly ObservedTrial[]): Uint8Array[] {
  const requests = encodeSamples(trials.flatMap(sampledResources), { pointsMax: POINTS_MAX });
  return [...requests].map(({ bytes }) => bytes);
}

function seriesOf(metric: SampledMetric, utcNs: BigInt64Array): SampleSeries[] {
  const definition: MetricDefinition = SAMPLED_METRICS[metric];
  return combinations(definition.attributes).map((attributes, index) => ({
    metric,
    attributes,
    startUtcNs: utcNs[0] ?? 0n,
    utcNs,
    values: Float64Array.from(utcNs, (_, round) =>
      definition.kind === 'counter' ? (index + 1) * round : 1 + index + (round % 3),
    ),
  }));
}

/** All combinations of the values of some attributes. */
function combinations(names: readonly AttributeName[]): Record<string, string>[] {
  return names.reduce<Record<string, string>[]>(
    (sets, name) =>
      sets.flatMap((set) =>
        (ATTRIBUTE_VALUES[name] ?? ['x']).map((value) => ({ ...set, [name]: value })),
      ),
    [{}],
  );
}

/** Who tells health: a device, or the coordinator. */
export interface HealthTeller {
  readonly service: 'lockstep-agent' | 'lockstep-coordinator';
  readonly instance: string;
}

/** Value of a health metric at an instant; undefined where there is none. */
export type HealthValue = (
  name: HealthMetric,
  attributes: Readonly<Record<string, string>>,
  atUtcMs: number,
) => number | undefined;

/** A healthy fleet: counters of what is good grow, levels stay, nothing is wrong. */
export const healthy: HealthValue = (name, attributes, atUtcMs) => {
  if (name === 'lockstep.devices') return attributes['lockstep.state'] === 'lost' ? 0 : 2;
  if (name === 'lockstep.relay.items' && attributes['lockstep.outcome'] !== 'accepted') return 0;
  const isNothing = ['lockstep.telemetry.lost', 'lockstep.relay.retries', 'lockstep.relay.behind'];
  if (isNothing.includes(name)) return 0;
  if (name === 'lockstep.device.throttled') return 0;
  if (name === 'lockstep.device.clock.bound') return 0.0004;
  if (name === 'lockstep.spool.size') return (atUtcMs / 15_000) % 4 < 1 ? 0 : 50_000;
  return HEALTH_METRICS[name].kind === 'counter' ? atUtcMs / 1000 : 1;
};

const OF_COORDINATOR = /coordinator/;
const OF_AGENT = /agent/;

/** What a teller tells at some instants, as one OTLP request: protobuf, not compressed. */
export function encodeHealth(
  { service, instance }: HealthTeller,
  instantsUtcMs: readonly number[],
  value: HealthValue,
): Uint8Array {
  const who = service === 'lockstep-agent' ? OF_AGENT : OF_COORDINATOR;
  const names = Object.keys(HEALTH_METRICS) as HealthMetric[];
  const metrics = names
    .filter((name) => who.test(HEALTH_METRICS[name].source))
    .map((name) => healthMetric(name, instantsUtcMs, value));
  const bytes = ProtobufMetricsSerializer.serializeRequest({
    resource: resourceFromAttributes(resourceOf(service, instance)),
    scopeMetrics: [{ scope: { name: 'lockstep' }, metrics }],
  });
  if (bytes === undefined) throw new Error('health could not be encoded');
  return bytes;
}

function resourceOf(service: HealthTeller['service'], instance: string): Record<string, string> {
  const common = { 'service.name': service, 'service.instance.id': instance };
  if (service === 'lockstep-coordinator') return common;
  return { ...common, 'device.id': instance, 'host.name': instance, 'host.arch': 'arm64' };
}

function healthMetric(
  name: HealthMetric,
  instantsUtcMs: readonly number[],
  value: HealthValue,
): MetricData {
  const { kind, unit, description, attributes: names }: MetricDefinition = HEALTH_METRICS[name];
  const startTime = hrTime(instantsUtcMs[0] ?? 0);
  const dataPoints = combinations(names).flatMap((attributes) =>
    instantsUtcMs.flatMap((atUtcMs) => {
      const found = value(name, attributes, atUtcMs);
      if (found === undefined) return [];
      return [{ startTime, endTime: hrTime(atUtcMs), attributes, value: found }];
    }),
  );
  const type = {
    counter: InstrumentType.OBSERVABLE_COUNTER,
    level: InstrumentType.OBSERVABLE_UP_DOWN_COUNTER,
    gauge: InstrumentType.OBSERVABLE_GAUGE,
  }[kind];
  const common = {
    descriptor: { name, unit, description, type, valueType: ValueType.DOUBLE, advice: {} },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPoints,
  };
  if (kind === 'gauge') return { ...common, dataPointType: DataPointType.GAUGE };
  return { ...common, dataPointType: DataPointType.SUM, isMonotonic: kind === 'counter' };
}

function hrTime(utcMs: number): [seconds: number, nanoseconds: number] {
  const seconds = Math.floor(utcMs / 1000);
  return [seconds, Math.round((utcMs - seconds * 1000) * 1e6)];
}

/** Instants every 15 s over the last minutes before another. */
export function healthInstants(endUtcMs: number, minutes: number): number[] {
  return Array.from({ length: minutes * 4 + 1 }, (_, i) => endUtcMs - (minutes * 4 - i) * 15_000);
}
