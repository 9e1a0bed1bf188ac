import type { SamplerReport } from '../../schemas/telemetry.ts';
import type { SourceName } from '../../schemas/telemetry-names.ts';
import type { FinalReading, SandboxTarget } from '../collectors/collector.ts';

/** What names the trial that is sampled, in every block and every exported series. */
export interface SampledTrial {
  readonly runId: string;
  readonly trialId: string;
  readonly attempt: number;
  readonly deviceId: string;
}

/** What to sample. */
export interface SampleOrder {
  readonly trial: SampledTrial;
  readonly rateHz: number;
  /** Absent: all. */
  readonly sources?: readonly SourceName[];
  readonly sandboxes: readonly SandboxTarget[];
  /**
   * Attributes of the device, and of the trial, as they are exported: constant for all series.
   * Absent: nothing is encoded for export.
   */
  readonly exportAs?: Readonly<Record<string, string>>;
  /** Attributes of each sandbox, by its number. */
  readonly sandboxAttributes?: Readonly<Record<string, string>>;
}

/** One OTLP ExportMetricsServiceRequest: protobuf, gzip. */
export interface EncodedMetrics {
  readonly bytes: Uint8Array;
  readonly points: number;
}

/** What a trial's sampling came to, ready to be kept and sent. */
export interface Sampled {
  readonly report: SamplerReport;
  /** Blocks of samples: gzip of JSON of {@link SampleBlock}. */
  readonly blocks: readonly Uint8Array[];
  /** Metrics to be exported. Empty unless asked for. */
  readonly metrics: readonly EncodedMetrics[];
}

/** Samples handed over while the trial still runs. */
export type SampledSoFar = Omit<Sampled, 'report'>;

/** The sampler as its agent sees it: a process of its own, in the ordinary scheduling class. */
export interface SamplerPort {
  /** False once it is gone. */
  readonly isAlive: boolean;
  /** Opens all sources. Sampling begins with {@link begin}. */
  open(order: SampleOrder): Promise<void>;
  /** Takes the first sample at once and goes on at the rate. Answers when that was taken. */
  begin(): Promise<void>;
  /** Takes what was sampled so far, and goes on. */
  takeSoFar(utcMinusMonoNs: bigint): Promise<SampledSoFar>;
  /** Ends sampling, adds the final readings, and gives everything that was not taken yet. */
  end(finals: readonly FinalReading[], utcMinusMonoNs: bigint): Promise<Sampled>;
  /** Forgets what is open or going. */
  abandon(): Promise<void>;
  /** Ends the process. */
  close(): Promise<void>;
}
