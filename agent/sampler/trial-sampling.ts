import type { SamplerReport } from '../../schemas/telemetry.ts';
import type { FinalReading, Roots } from '../collectors/collector.ts';
import { ExportedMetrics } from './exported-metrics.ts';
import type { LoopThread } from './loop-thread.ts';
import { openSources } from './open-sources.ts';
import type { Collectors, FoundSource } from './open-sources.ts';
import { cpuNsBetween, readThreadCpuNs } from './own-threads.ts';
import { allowedCpuList } from './placement.ts';
import type { EncodedMetrics, SampleOrder } from './protocol.ts';
import { MemoryBudget } from './reading-table.ts';
import type { ReadingChunk } from './reading-table.ts';
import { encodeBlocks } from './sample-blocks.ts';
import { columnsOf, countValues, sourceKeyText, withFinals } from './sample-columns.ts';
import type { SampleColumns } from './sample-columns.ts';
import { SlowSampling } from './slow-sampling.ts';
import { reportSources } from './source-reports.ts';
import type { FastEntry } from './source-reports.ts';

/** A block of samples, or metrics to be exported. */
export type SampledPart =
  | { readonly kind: 'block'; readonly bytes: Uint8Array }
  | ({ readonly kind: 'metrics' } & EncodedMetrics);

/** Takes a part; resolves when it is on its way. */
export type TakePart = (part: SampledPart) => Promise<void>;

/** What sampling a trial needs. */
export interface TrialSamplingOptions {
  readonly order: SampleOrder;
  readonly roots: Roots;
  /** What readings may take before they are encoded, bytes. */
  readonly maxBytes: number;
  readonly collectors: Collectors;
  readonly loop: LoopThread;
}

/** Share of the memory that slow sources get, if there are any. */
const SLOW_SHARE = 1 / 4;

/** The sampling of one trial, from opening its sources to its last block. */
export class TrialSampling {
  readonly #options: TrialSamplingOptions;
  readonly #found: readonly FoundSource[];
  readonly #metrics: ExportedMetrics;
  readonly #slow: readonly SlowSampling[];
  #fast: readonly FastEntry[] = [];
  // Of each source that has any, by its key: readings handed out so far.
  readonly #counts = new Map<string, number>();
  #values = 0;
  #blocks = 0;
  #began: { readonly monoNs: bigint; readonly cpuNs: ReadonlyMap<string, bigint> } | undefined;

  private constructor(options: TrialSamplingOptions) {
    const { order, roots, collectors, maxBytes } = options;
    this.#options = options;
    this.#metrics = new ExportedMetrics(order);
    this.#found = openSources(collectors, { ...order, roots });
    const budget = new MemoryBudget(maxBytes * SLOW_SHARE);
    this.#slow = this.#found.flatMap(({ key, opened }) => {
      if ('unavailable' in opened || opened.pace === 'fast') return [];
      return [new SlowSampling(key, opened, order.rateHz, budget)];
    });
  }

  /** Opens all sources. */
  static async open(options: TrialSamplingOptions): Promise<TrialSampling> {
    const sampling = new TrialSampling(options);
    await sampling.#openFast();
    return sampling;
  }

  /** False before {@link begin}. */
  get isGoing(): boolean {
    return this.#began !== undefined;
  }

  /** Takes the first sample at once and goes on. */
  async begin(): Promise<void> {
    this.#began = { monoNs: process.hrtime.bigint(), cpuNs: readThreadCpuNs() };
    const begun = this.#options.loop.begin();
    for (const slow of this.#slow) slow.begin();
    await begun;
  }

  /** Hands out what was sampled so far, and goes on. */
  async takeSoFar(utcMinusMonoNs: bigint, take: TakePart): Promise<void> {
    const tables = await this.#options.loop.take();
    await this.#hand(this.#columns(tables), utcMinusMonoNs, take);
  }

  /** Ends; hands out the rest, the last readings in it. */
  async end(
    finals: readonly FinalReading[],
    utcMinusMonoNs: bigint,
    take: TakePart,
  ): Promise<SamplerReport> {
    const { tables, statistics } = await this.#options.loop.end();
    await Promise.all(this.#slow.map((slow) => slow.end()));
    const began = this.#began ?? { monoNs: process.hrtime.bigint(), cpuNs: new Map() };
    const wallNs = process.hrtime.bigint() - began.monoNs;
    const cpuNs = cpuNsBetween(began.cpuNs, readThreadCpuNs());
    const all = withFinals(this.#columns(tables), this.#ordered(finals));
    await this.#hand(all, utcMinusMonoNs, take);
    const { rounds, missed } = statistics;
    return {
      ...{ rateHz: this.#options.order.rateHz, achievedHz: statistics.achievedHz, rounds, missed },
      latenessP50Ns: BigInt(statistics.latenessP50Ns),
      latenessP99Ns: BigInt(statistics.latenessP99Ns),
      latenessMaxNs: BigInt(statistics.latenessMaxNs),
      ...{ cpuNs, wallNs, cpus: allowedCpuList(), samples: this.#values },
      ...{ thinnedBy: statistics.thinnedBy, blocks: this.#blocks },
      sources: reportSources({
        ...{ wantedHz: this.#options.order.rateHz, found: this.#found, fast: this.#fast },
        ...{ statistics: statistics.sources, slow: this.#slow, counts: this.#counts },
      }),
    };
  }

  /** Closes all sources and forgets what was read. */
  async abandon(): Promise<void> {
    await this.#options.loop.abandon();
    await Promise.all(this.#slow.map((slow) => slow.abandon()));
  }

  async #openFast(): Promise<void> {
    const { order, roots, maxBytes, loop } = this.#options;
    const keys = this.#found.flatMap(({ key, opened }) => {
      if ('unavailable' in opened || opened.pace === 'slow') return [];
      // The thread of the loop opens its own: an open source can't be handed over.
      opened.close();
      return [key];
    });
    const { rateHz, sources, sandboxes } = order;
    const opening = { sandboxes, roots, ...(sources === undefined ? {} : { sources }) };
    const share = this.#slow.length === 0 ? 1 : 1 - SLOW_SHARE;
    const opened = await loop.open({
      ...{ kind: 'open', keys, order: opening, rateHz },
      maxBytes: maxBytes * share,
    });
    this.#fast = keys.map((key, index) => ({ key, opened: opened[index] }));
  }

  /** The last readings of what was to be sampled. */
  #ordered(finals: readonly FinalReading[]): FinalReading[] {
    const { sources, sandboxes } = this.#options.order;
    return finals.filter(({ source, instance }) => {
      const isWanted = sources?.includes(source) !== false;
      return isWanted && sandboxes.some(({ index }) => index === instance);
    });
  }

  #columns(tables: readonly (readonly ReadingChunk[])[]): SampleColumns[] {
    let place = 0;
    const fast = this.#fast.flatMap(({ key, opened }) => {
      // What was gone when the thread opened it has no table.
      if (opened === undefined) return [];
      const chunks = tables[place++] ?? [];
      return [columnsOf(key, opened.series, [{ chunks, width: opened.series.length }])];
    });
    return [...fast, ...this.#slow.map((slow) => slow.take())];
  }

  async #hand(
    all: readonly SampleColumns[],
    utcMinusMonoNs: bigint,
    take: TakePart,
  ): Promise<void> {
    const columns = all.filter(({ monoNs }) => monoNs.length > 0);
    for (const column of columns) {
      const key = sourceKeyText(column);
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + column.monoNs.length);
      this.#values += countValues(column);
    }
    const { trial } = this.#options.order;
    const context = { trial, utcMinusMonoNs, firstSequence: this.#blocks };
    for (const bytes of encodeBlocks(columns, context)) {
      await take({ kind: 'block', bytes });
      this.#blocks += 1;
    }
    for (const part of this.#metrics.encode(columns, utcMinusMonoNs)) {
      await take({ kind: 'metrics', ...part });
    }
  }
}
