import { gunzipSync } from 'node:zlib';
import type { EncodedMetrics } from '../../../agent/sampler/protocol.ts';
import { decodeMessage } from '../../../schemas/protocol.ts';
import { SampleBlock } from '../../../schemas/telemetry.ts';
import type { SampleGroup } from '../../../schemas/telemetry.ts';
import { decodeRequest } from '../../../telemetry/otlp/export-request.ts';

/** Points of one series: instant, UTC, ns, and value. */
export type SeriesPoints = readonly (readonly [utcNs: bigint, value: number])[];

/** Decodes blocks as a recorder does. */
export function decodedBlocks(blocks: readonly Uint8Array[]): SampleBlock[] {
  return blocks.map((bytes) => {
    const value: unknown = JSON.parse(gunzipSync(bytes).toString());
    return decodeMessage(SampleBlock, value, 'the sampler');
  });
}

/** Instants of a group, CLOCK_MONOTONIC, ns. */
export function instantsOf({ firstMonoNs, stepsNs }: SampleGroup): bigint[] {
  const instants = [firstMonoNs];
  let last = firstMonoNs;
  for (const step of stepsNs) instants.push((last += BigInt(step)));
  return instants;
}

/** All points of blocks by series, those without a value left out. */
export function pointsOfBlocks(blocks: readonly SampleBlock[]): Map<string, SeriesPoints> {
  const points = new Map<string, [bigint, number][]>();
  for (const { groups, utcMinusMonoNs } of blocks) {
    for (const group of groups) {
      const instants = instantsOf(group);
      for (const { metric, attributes = {}, values } of group.series) {
        const key = keyOf(metric, attributes, group.instance);
        for (const [index, value] of values.entries()) {
          if (value === null) continue;
          const known = points.get(key) ?? [];
          points.set(key, known);
          known.push([(instants[index] ?? 0n) + utcMinusMonoNs, value]);
        }
      }
    }
  }
  return points;
}

interface KeyValue {
  readonly key: string;
  readonly value: { readonly stringValue: string };
}

interface Data {
  readonly dataPoints: readonly {
    readonly timeUnixNano: string;
    readonly asDouble: number;
    readonly attributes?: readonly KeyValue[];
  }[];
}

interface ExportedMetrics {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes?: readonly KeyValue[] };
    readonly scopeMetrics: readonly {
      readonly metrics: readonly {
        readonly name: string;
        readonly gauge?: Data;
        readonly sum?: Data;
      }[];
    }[];
  }[];
}

/** All points of what is exported, by the same keys, in ascending order of time. */
export function pointsOfMetrics(metrics: readonly EncodedMetrics[]): Map<string, SeriesPoints> {
  const points = new Map<string, [bigint, number][]>();
  for (const { bytes } of metrics) {
    const request = decodeRequest('metrics', gunzipSync(bytes)) as unknown as ExportedMetrics;
    for (const { resource, scopeMetrics } of request.resourceMetrics) {
      const index = textsOf(resource.attributes)['lockstep.instance.index'];
      const instance = index === undefined ? undefined : Number(index);
      for (const { name, gauge, sum } of scopeMetrics.flatMap((scope) => scope.metrics)) {
        for (const point of (gauge ?? sum)?.dataPoints ?? []) {
          const key = keyOf(name, textsOf(point.attributes), instance);
          const known = points.get(key) ?? [];
          points.set(key, known);
          known.push([BigInt(point.timeUnixNano), point.asDouble]);
        }
      }
    }
  }
  return points;
}

function textsOf(attributes: readonly KeyValue[] = []): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
}

function keyOf(
  metric: string,
  attributes: Readonly<Record<string, string>>,
  instance: number | undefined,
): string {
  const pairs = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([metric, pairs, instance ?? 'host']);
}
