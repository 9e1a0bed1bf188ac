import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { queryInstant, queryRange } from './prometheus-api.ts';
import type { QueriedSeries, QueryRange } from './prometheus-api.ts';
import { startLoopbackServer } from './loopback-server.ts';
import type { LoopbackServer, Teardown } from './loopback-server.ts';
import { OTLP_PATH, postOtlp } from './victoria-metrics.ts';

const PROMTOOL_TIMEOUT_MS = 30_000;
const execute = promisify(execFile);

/** A real Prometheus of one test, that takes samples by remote write. */
export interface Prometheus extends LoopbackServer {
  readonly remoteWriteUrl: string;
  queryInstant(query: string, atUtcMs: number): Promise<QueriedSeries[]>;
  queryRange(query: string, range: QueryRange): Promise<QueriedSeries[]>;
}

/** What a Prometheus of a test is to do beside answering. */
export interface PrometheusOptions {
  /** Files of rules, absolute. */
  readonly ruleFiles?: readonly string[];
  /** How often rules are evaluated, ms. Default 15 s. */
  readonly evaluateEveryMs?: number;
  /** How much older than the newest a sample may be, ms. Default: one hour. */
  readonly outOfOrderMs?: number;
}

/** Starts Prometheus; everything is gone after the test. */
export async function startPrometheus(
  t: Teardown,
  program: string,
  { ruleFiles = [], evaluateEveryMs = 15_000, outOfOrderMs = 3_600_000 }: PrometheusOptions = {},
): Promise<Prometheus> {
  const configuration = {
    global: { evaluation_interval: `${evaluateEveryMs}ms` },
    storage: { tsdb: { out_of_order_time_window: `${outOfOrderMs}ms` } },
    rule_files: ruleFiles,
  };
  const server = await startLoopbackServer(t, {
    program,
    readyPath: '/-/ready',
    words: async (folder) => {
      const file = join(folder, 'prometheus.yaml');
      await writeFile(file, stringify(configuration));
      return [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        '--web.listen-address=127.0.0.1:0',
        '--web.enable-remote-write-receiver',
        '--log.level=warn',
      ];
    },
  });
  return {
    ...server,
    remoteWriteUrl: `${server.url}/api/v1/write`,
    queryInstant: (query, atUtcMs) => queryInstant(server.url, query, atUtcMs),
    queryRange: (query, range) => queryRange(server.url, query, range),
  };
}

/** A real vmagent of one test: it takes OTLP and hands it on by Prometheus' remote write. */
export interface VmAgent extends LoopbackServer {
  readonly otlpUrl: string;
  /** Sends an OTLP request as it is; `gzipped` says how it is compressed. */
  ingest(bytes: Uint8Array, gzipped?: boolean): Promise<void>;
}

/** Starts vmagent in front of a Prometheus; everything is gone after the test. */
export async function startVmAgent(
  t: Teardown,
  program: string,
  remoteWriteUrl: string,
): Promise<VmAgent> {
  const server = await startLoopbackServer(t, {
    program,
    readyPath: '/health',
    words: (folder) => [
      `-remoteWrite.url=${remoteWriteUrl}`,
      `-remoteWrite.tmpDataPath=${folder}`,
      // Prometheus speaks its own protocol only.
      '-remoteWrite.forcePromProto=true',
      '-remoteWrite.flushInterval=200ms',
      '-httpListenAddr=127.0.0.1:0',
      '-opentelemetry.usePrometheusNaming=true',
      '-memory.allowedBytes=64MB',
      '-loggerLevel=WARN',
    ],
  });
  const otlpUrl = `${server.url}${OTLP_PATH}`;
  return {
    ...server,
    otlpUrl,
    ingest: (bytes, gzipped = false) => postOtlp(otlpUrl, bytes, gzipped),
  };
}

/** Runs promtool; resolves to what it printed. Rejects, with that, if it found a fault. */
export async function promtool(program: string, ...words: string[]): Promise<string> {
  const { stdout, stderr } = await execute(program, words, { timeout: PROMTOOL_TIMEOUT_MS });
  return stdout + stderr;
}
