import { gzipSync } from 'node:zlib';
import { encodeSamples } from '../../telemetry/otlp/encode-samples.ts';
import type { SampleResource, SampleSeries } from '../../telemetry/otlp/encode-samples.ts';
import type { EncodedMetrics, SampleOrder } from './protocol.ts';
import { seriesKeyText, sourceKeyText } from './sample-columns.ts';
import type { SampleColumns } from './sample-columns.ts';

/** Points of one message: with attributes, less than 1 MiB compressed. */
const MESSAGE_POINTS_MAX = 20_000;

const GZIP_LEVEL = 1;

/** Encodes the samples of one trial as OTLP metrics. */
export class ExportedMetrics {
  readonly #order: SampleOrder;
  /** First instant of each series, UTC: the same in all parts of a trial. */
  readonly #startsUtcNs = new Map<string, bigint>();

  constructor(order: SampleOrder) {
    this.#order = order;
  }

  /** Messages of a bounded size; none if nothing is to be exported. */
  *encode(columns: readonly SampleColumns[], utcMinusMonoNs: bigint): Generator<EncodedMetrics> {
    if (this.#order.exportAs === undefined) return;
    const resources = new Map<number | undefined, SampleSeries[]>();
    for (const source of columns) {
      const series = resources.get(source.instance) ?? [];
      resources.set(source.instance, series);
      series.push(...this.#seriesOf(source, utcMinusMonoNs));
    }
    const all = [...resources].map(([instance, series]): SampleResource => {
      return { attributes: this.#attributesOf(instance), series };
    });
    for (const { bytes, points } of encodeSamples(all, { pointsMax: MESSAGE_POINTS_MAX })) {
      yield { bytes: gzipSync(bytes, { level: GZIP_LEVEL }), points };
    }
  }

  #attributesOf(instance: number | undefined): Readonly<Record<string, string>> {
    const { exportAs = {}, sandboxAttributes = {} } = this.#order;
    if (instance === undefined) return exportAs;
    const index = { 'lockstep.instance.index': String(instance) };
    return { ...exportAs, ...sandboxAttributes, ...index };
  }

  #seriesOf(source: SampleColumns, utcMinusMonoNs: bigint): SampleSeries[] {
    const utcNs = source.monoNs.map((monoNs) => monoNs + utcMinusMonoNs);
    return source.series.flatMap((column): SampleSeries[] => {
      const first = column.values.findIndex((value) => !Number.isNaN(value));
      if (first === -1) return [];
      const { metric, attributes, values } = column;
      const key = `${sourceKeyText(source)} ${seriesKeyText(column)}`;
      const startUtcNs = this.#startsUtcNs.get(key) ?? utcNs[first] ?? 0n;
      this.#startsUtcNs.set(key, startUtcNs);
      const named = attributes === undefined ? {} : { attributes };
      return [{ metric, ...named, startUtcNs, utcNs, values }];
    });
  }
}
