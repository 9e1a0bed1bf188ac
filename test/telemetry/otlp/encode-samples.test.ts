import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { SAMPLED_METRICS, SCHEMA_URL } from '../../../schemas/telemetry-names.ts';
import type { SampledMetric } from '../../../schemas/telemetry-names.ts';
import { VERSION } from '../../../schemas/version.ts';
import { encodeSamples } from '../../../telemetry/otlp/encode-samples.ts';
import type { SampleResource, SampleSeries } from '../../../telemetry/otlp/encode-samples.ts';
import { countItems, decodeRequest } from '../../../telemetry/otlp/export-request.ts';
import { OfficialSchema } from './official-schema.ts';

const START_UTC_NS = 1_795_459_200_123_456_789n;

function series(
  metric: SampledMetric,
  values: readonly number[],
  rest: Partial<SampleSeries> = {},
): SampleSeries {
  const utcNs = BigInt64Array.from(
    values,
    (_, index) => START_UTC_NS + BigInt(index) * 10_000_003n,
  );
  return { metric, startUtcNs: START_UTC_NS, utcNs, values: Float64Array.from(values), ...rest };
}

const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
const SUM_START = { startTimeUnixNano: String(START_UTC_NS) };

test('encodeSamples writes what the official schema reads as the same values', (t) => {
  const schema = OfficialSchema.load(t);
  if (schema === undefined) return;
  const resource = {
    attributes: { 'service.name': 'lockstep-agent', 'lockstep.trial.id': 'Prüfung 1' },
    series: [
      series('system.cpu.time', [0.1, Number.NaN, 1e300], { attributes: { 'cpu.mode': 'user' } }),
      series('hw.temperature', [-45.5]),
      series('system.cpu.time', [7], { attributes: { 'cpu.mode': 'idle' } }),
      series('container.memory.usage', [4096]),
    ],
  };
  const [request, ...more] = encodeSamples([resource], { pointsMax: 100 });
  t.deepEqual(more, []);
  t.is(request!.points, 5);
  const point = (index: bigint, asDouble: number) => ({
    timeUnixNano: String(START_UTC_NS + index * 10_000_003n),
    asDouble,
  });
  const named = (name: SampledMetric) => {
    const { description, unit } = SAMPLED_METRICS[name];
    return { name, description, unit };
  };
  const user = { ...SUM_START, attributes: [text('cpu.mode', 'user')] };
  const idle = { ...SUM_START, attributes: [text('cpu.mode', 'idle')] };
  const aggregationTemporality = 'AGGREGATION_TEMPORALITY_CUMULATIVE';
  const metrics = [
    {
      ...named('system.cpu.time'),
      sum: {
        dataPoints: [
          { ...user, ...point(0n, 0.1) },
          { ...user, ...point(2n, 1e300) },
          { ...idle, ...point(0n, 7) },
        ],
        aggregationTemporality,
        isMonotonic: true,
      },
    },
    { ...named('hw.temperature'), gauge: { dataPoints: [point(0n, -45.5)] } },
    {
      ...named('container.memory.usage'),
      sum: { dataPoints: [{ ...SUM_START, ...point(0n, 4096) }], aggregationTemporality },
    },
  ];
  const scope = { name: 'lockstep', version: VERSION };
  t.deepEqual(schema.decode('metrics', request!.bytes), {
    resourceMetrics: [
      {
        resource: {
          attributes: [
            text('service.name', 'lockstep-agent'),
            text('lockstep.trial.id', 'Prüfung 1'),
          ],
        },
        scopeMetrics: [{ scope, metrics, schemaUrl: SCHEMA_URL }],
        schemaUrl: SCHEMA_URL,
      },
    ],
  });
});

test('encodeSamples writes nothing where there is no point', (t) => {
  const resource = {
    attributes: {},
    series: [series('hw.power', [Number.NaN]), series('hw.power', [])],
  };
  t.deepEqual([...encodeSamples([resource, { attributes: {}, series: [] }], { pointsMax: 1 })], []);
});

test('encodeSamples writes every metric that there is in the shape of its kind', (t) => {
  for (const [name, { kind, unit }] of Object.entries(SAMPLED_METRICS)) {
    const resource = { attributes: {}, series: [series(name as SampledMetric, [1, 2])] };
    const [request] = encodeSamples([resource], { pointsMax: 10 });
    const json = JSON.stringify(decodeRequest('metrics', request!.bytes));
    t.true(json.includes(`"name":"${name}"`) && json.includes(`"unit":"${unit}"`), name);
    t.is(json.includes('"isMonotonic":true'), kind === 'counter', name);
    t.is(json.includes('"gauge":'), kind === 'gauge', name);
    t.is(json.includes('"startTimeUnixNano"'), kind !== 'gauge', name);
  }
});

/** Points as `resource metric attributes time value`, in the order of the series. */
function pointsOf(resources: readonly SampleResource[]): string[] {
  return resources.flatMap(({ attributes: { id = '' }, series: all }) =>
    all.flatMap(({ metric, attributes = {}, utcNs, values }) =>
      [...values].flatMap((value, index) =>
        Number.isNaN(value)
          ? []
          : [[id, metric, ...flat(attributes), utcNs[index], value].join(' ')],
      ),
    ),
  );
}

const flat = (attributes: Readonly<Record<string, string>>) => Object.entries(attributes).flat();

interface DecodedKeyValue {
  key: string;
  value: { stringValue: string };
}
interface DecodedRequest {
  resourceMetrics: {
    resource: { attributes: DecodedKeyValue[] };
    scopeMetrics: { metrics: DecodedMetric[] }[];
  }[];
}
interface DecodedMetric {
  name: string;
  sum?: { dataPoints: DecodedPoint[] };
  gauge?: { dataPoints: DecodedPoint[] };
}
interface DecodedPoint {
  attributes?: DecodedKeyValue[];
  timeUnixNano: string;
  asDouble: number | string;
}

function decodedPoints(bytes: Uint8Array): string[] {
  const request = decodeRequest('metrics', bytes) as unknown as DecodedRequest;
  return request.resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) =>
      metrics.flatMap(({ name, sum, gauge }) =>
        (sum ?? gauge)!.dataPoints.map(({ attributes = [], timeUnixNano, asDouble }) =>
          [
            resource.attributes[0]!.value.stringValue,
            name,
            ...attributes.flatMap(({ key, value }) => [key, value.stringValue]),
            timeUnixNano,
            Number(asDouble),
          ].join(' '),
        ),
      ),
    ),
  );
}

const value = fc.oneof(
  fc.double({ noNaN: true }),
  fc.constant(Number.NaN),
  fc.constantFrom(0, 4096),
);
const arbitrarySeries = fc
  .record({
    metric: fc.constantFrom<SampledMetric[]>('hw.temperature', 'container.cpu.time', 'hw.power'),
    attributes: fc.dictionary(fc.string({ maxLength: 40 }), fc.string({ maxLength: 200 }), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
    points: fc.array(fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), value), {
      maxLength: 40,
    }),
  })
  .map(({ metric, attributes, points }) => ({
    metric,
    attributes,
    startUtcNs: START_UTC_NS,
    utcNs: BigInt64Array.from(points, ([utcNs]) => utcNs),
    values: Float64Array.from(points, ([, one]) => one),
  }));

test('encodeSamples keeps every point once, in requests that are full but for the last', (t) => {
  const resources = fc
    .array(fc.array(arbitrarySeries, { maxLength: 6 }), { maxLength: 3 })
    .map((all) => all.map((some, index) => ({ attributes: { id: `r${index}` }, series: some })));
  fc.assert(
    fc.property(resources, fc.integer({ min: 1, max: 30 }), (given, pointsMax) => {
      const requests = [...encodeSamples(given, { pointsMax })];
      const points = requests.map((request) => decodedPoints(request.bytes));
      assert.deepEqual(points.flat().sort(), pointsOf(given).sort());
      for (const [index, request] of requests.entries()) {
        assert.equal(request.points, points[index]!.length);
        assert.equal(countItems('metrics', request.bytes), request.points);
        if (index < requests.length - 1) assert.equal(request.points, pointsMax);
        else assert(request.points > 0 && request.points <= pointsMax);
      }
    }),
    { numRuns: 150 },
  );
  t.pass();
});
