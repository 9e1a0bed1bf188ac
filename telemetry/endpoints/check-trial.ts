import { randomBytes } from 'node:crypto';
import { constants, gzipSync } from 'node:zlib';
import { SPAN_NAMES } from '../../schemas/span-names.ts';
import type { SpanName } from '../../schemas/span-names.ts';
import { VERSION } from '../../schemas/version.ts';
import { encodeLogs } from '../otlp/encode-logs.ts';
import { encodeSamples } from '../otlp/encode-samples.ts';
import type { SampleSeries } from '../otlp/encode-samples.ts';
import { encodeSpans } from '../otlp/encode-spans.ts';
import type { EndedSpan } from '../otlp/encode-spans.ts';
import type { Payload, Signal } from '../payload.ts';

/** What marks everything of a check, in place of the names of the services. */
export const CHECK_SERVICE = 'lockstep-check';

/** A made-up trial as payloads, to see whether an endpoint takes them. */
export interface CheckTrial {
  /** 32 hexadecimal digits; its spans and the log record have it. */
  readonly traceId: string;
  readonly payloads: readonly Payload[];
}

const NS_PER_MS = 1_000_000n;
const TRIAL_MS = 100n;
const ROUNDS = 11;
const POINTS_MAX = 1000;

/** Spans below one another, with begin and end in ms from the start of the trial. */
const SPANS: readonly (readonly [name: SpanName, fromMs: bigint, toMs: bigint])[] = [
  ['dispatch trial', 0n, 100n],
  ['process trial', 5n, 95n],
  ['sandbox', 10n, 90n],
  ['spawn', 10n, 20n],
  ['load', 20n, 40n],
  ['start', 40n, 60n],
  ['first response', 60n, 80n],
  ['teardown', 80n, 90n],
];

/** Makes a trial that ended just now, with a trace, metrics and a log record of its own. */
export function makeCheckTrial(nowUtcNs: bigint): CheckTrial {
  const traceId = randomBytes(16).toString('hex');
  const startUtcNs = nowUtcNs - TRIAL_MS * NS_PER_MS;
  const resource = (instance: string): Record<string, string> => ({
    'service.name': CHECK_SERVICE,
    'service.version': VERSION,
    'service.instance.id': instance,
    'lockstep.trial.id': `check-${traceId.slice(0, 8)}`,
  });
  const spans = makeSpans(traceId, startUtcNs);
  const [dispatch, ...ofDevice] = spans;
  const traces = encodeSpans([
    { attributes: resource('coordinator'), spans: dispatch === undefined ? [] : [dispatch] },
    { attributes: resource('device'), spans: ofDevice },
  ]);
  const series = makeSeries(startUtcNs);
  const metrics = [
    ...encodeSamples([{ attributes: resource('device'), series }], { pointsMax: POINTS_MAX }),
  ];
  const last = spans.at(-1);
  const logs = encodeLogs([
    {
      attributes: resource('device'),
      lines: [
        {
          utcNs: nowUtcNs,
          severity: 'INFO',
          body: 'lockstep otel check',
          ...(last === undefined ? {} : { span: { traceId, spanId: last.spanId } }),
        },
      ],
    },
  ]);
  return {
    traceId,
    payloads: [
      payloadOf('traces', traces, spans.length),
      ...metrics.map(({ bytes, points }) => payloadOf('metrics', bytes, points)),
      payloadOf('logs', logs, 1),
    ],
  };
}

function makeSpans(traceId: string, startUtcNs: bigint): EndedSpan[] {
  const idOf = new Map<string, string>();
  return SPANS.map(([name, fromMs, toMs]) => {
    const spanId = randomBytes(8).toString('hex');
    idOf.set(name, spanId);
    const { kind, within }: { kind: EndedSpan['kind']; within?: string } = SPAN_NAMES[name];
    // A device goes on with the trace of the coordinator.
    const parent = name === 'process trial' ? 'dispatch trial' : within;
    const parentSpanId = parent === undefined ? undefined : idOf.get(parent);
    return {
      ...{ traceId, spanId, name, kind },
      ...(parentSpanId === undefined ? {} : { parentSpanId }),
      startUtcNs: startUtcNs + fromMs * NS_PER_MS,
      endUtcNs: startUtcNs + toMs * NS_PER_MS,
    };
  });
}

function makeSeries(startUtcNs: bigint): SampleSeries[] {
  const stepNs = (TRIAL_MS * NS_PER_MS) / BigInt(ROUNDS - 1);
  const utcNs = BigInt64Array.from({ length: ROUNDS }, (_, at) => startUtcNs + BigInt(at) * stepNs);
  const values = (of: (at: number) => number): Float64Array =>
    Float64Array.from({ length: ROUNDS }, (_, at) => of(at));
  return [
    { metric: 'container.cpu.time', startUtcNs, utcNs, values: values((at) => at / 100) },
    { metric: 'container.memory.usage', utcNs, values: values((at) => 1_048_576 + 4096 * at) },
    {
      ...{ metric: 'hw.temperature', attributes: { 'hw.id': 'check' }, utcNs },
      values: values(() => 40),
    },
  ];
}

function payloadOf(signal: Signal, request: Uint8Array, items: number): Payload {
  return { signal, bytes: gzipSync(request, { level: constants.Z_BEST_SPEED }), items };
}
