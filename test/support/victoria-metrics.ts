import { queryInstant, queryRange } from './prometheus-api.ts';
import type { QueriedSeries, QueryRange } from './prometheus-api.ts';
import { startLoopbackServer } from './loopback-server.ts';
import type { LoopbackServer, Teardown } from './loopback-server.ts';

const POST_TIMEOUT_MS = 20_000;

/** A real VictoriaMetrics of one test. */
export interface VictoriaMetrics extends LoopbackServer {
  /** Where it takes OTLP metrics, protobuf over HTTP. */
  readonly otlpUrl: string;
  /** Sends an OTLP request as it is; `gzipped` says how it is compressed. */
  ingest(bytes: Uint8Array, gzipped?: boolean): Promise<void>;
  /** Makes what was taken so far visible to queries. */
  flush(): Promise<void>;
  queryInstant(query: string, atUtcMs: number): Promise<QueriedSeries[]>;
  queryRange(query: string, range: QueryRange): Promise<QueriedSeries[]>;
}

/** Where VictoriaMetrics and its agent take OTLP metrics. */
export const OTLP_PATH = '/opentelemetry/v1/metrics';

/**
 * Starts VictoriaMetrics; everything is gone after the test.
 *
 * @param names prometheus: names and labels as Prometheus writes them; otlp: as they are sent.
 */
export async function startVictoriaMetrics(
  t: Teardown,
  program: string,
  names: 'prometheus' | 'otlp' = 'prometheus',
): Promise<VictoriaMetrics> {
  const server = await startLoopbackServer(t, {
    program,
    readyPath: '/health',
    words: (folder) => [
      `-storageDataPath=${folder}`,
      '-httpListenAddr=127.0.0.1:0',
      `-opentelemetry.usePrometheusNaming=${String(names === 'prometheus')}`,
      '-retentionPeriod=100y',
      '-memory.allowedBytes=128MB',
      // The default lets it refuse to write where little of a disk is free.
      '-storage.minFreeDiskSpaceBytes=1MB',
      '-search.latencyOffset=1ms',
      '-loggerLevel=WARN',
    ],
  });
  const otlpUrl = `${server.url}${OTLP_PATH}`;
  return {
    ...server,
    otlpUrl,
    ingest: (bytes, gzipped = false) => postOtlp(otlpUrl, bytes, gzipped),
    flush: async () => {
      await fetch(`${server.url}/internal/force_flush`, {
        signal: AbortSignal.timeout(POST_TIMEOUT_MS),
      });
    },
    queryInstant: (query, atUtcMs) => queryInstant(server.url, query, atUtcMs),
    queryRange: (query, range) => queryRange(server.url, query, range),
  };
}

/**
 * Sends an OTLP request.
 *
 * @throws Error with what the server answered.
 */
export async function postOtlp(url: string, bytes: Uint8Array, gzipped: boolean): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      ...(gzipped ? { 'content-encoding': 'gzip' } : {}),
    },
    body: new Uint8Array(bytes),
    signal: AbortSignal.timeout(POST_TIMEOUT_MS),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
}
