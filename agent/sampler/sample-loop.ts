import { errorMessageOf } from '../../schemas/errors.ts';
import type { DeferredReading, FastSource } from '../collectors/collector.ts';
import { LatenessHistogram } from './lateness-histogram.ts';
import { PendingReadings } from './pending-readings.ts';
import { MemoryBudget, ReadingTable } from './reading-table.ts';
import type { ReadingChunk } from './reading-table.ts';

/** What the word that the loop looks at between rounds tells it. */
export const COMMANDS = { go: 0, take: 1, end: 2, abandon: 3 } as const;

/** How to sample. */
export interface LoopOptions {
  readonly sources: readonly FastSource[];
  readonly rateHz: number;
  /** What the readings may take, bytes. */
  readonly maxBytes: number;
  /** One word of memory that is shared with whoever gives the commands. */
  readonly control: Int32Array;
}

/** How one source fared. */
export interface LoopSourceStatistics {
  /** The rate at which it was read last. */
  readonly rateHz: number;
  /** True if readings were dropped for want of memory. */
  readonly isThinned: boolean;
  /** Why it was given up. Undefined if it was not. */
  readonly failure: string | undefined;
}

/** How the loop fared. */
export interface LoopStatistics {
  readonly rounds: number;
  readonly missed: number;
  readonly achievedHz: number;
  readonly latenessP50Ns: number;
  readonly latenessP99Ns: number;
  readonly latenessMaxNs: number;
  /** Of so many rounds one was kept. */
  readonly thinnedBy: number;
  /** In the order of the sources. */
  readonly sources: readonly LoopSourceStatistics[];
}

interface Member {
  readonly index: number;
  readonly source: FastSource;
  readonly deferred: DeferredReading | undefined;
  readonly row: Float64Array;
  readonly table: ReadingTable;
  /** It is read in every round whose number this divides. */
  every: number;
  nextRound: number;
  /** The round of the last of its deferred readings that was kept. */
  keptRound: number;
  isGoing: boolean;
  isThinned: boolean;
  failure: string | undefined;
}

/** Rows of the first chunk of each table, if the bound allows. */
const FIRST_ROWS_MAX = 256;
const FIRST_ROWS_MIN = 16;

/** Texts are parsed after so many rounds: of more of them the caches gain little more. */
const BATCH_ROUNDS = 16;

/** So long before the next round parsing stops; the rest has time after it. */
const PARSE_MARGIN_NS = 50_000;

/** Share of the bound that the first chunks may take. */
const FIRST_SHARE = 1 / 4;

/**
 * Reads sources by a schedule that is fixed at the first round: a late round shifts no other, and
 * rounds whose time has passed are left out and counted. Blocks its thread until it is told to end.
 * Texts are parsed for several rounds at once, in the time that is left between two of them.
 */
export class SampleLoop {
  readonly #members: readonly Member[];
  readonly #pending: PendingReadings;
  readonly #budget: MemoryBudget;
  readonly #control: Int32Array;
  readonly #rateHz: number;
  readonly #periodNs: number;
  readonly #lateness = new LatenessHistogram();
  #startNs = 0n;
  #unparsedRounds = 0;
  #thinnedBy = 1;
  #rounds = 0;
  #missed = 0;
  #lastElapsedNs = 0;

  constructor({ sources, rateHz, maxBytes, control }: LoopOptions) {
    this.#rateHz = rateHz;
    this.#periodNs = 1e9 / rateHz;
    this.#control = control;
    this.#budget = new MemoryBudget(maxBytes);
    this.#pending = new PendingReadings();
    const isAnyDeferred = sources.some(({ deferred }) => deferred !== undefined);
    if (isAnyDeferred) this.#budget.usedBytes += this.#pending.byteLength;
    const rowBytes = sources.reduce((sum, { series }) => {
      return sum + ReadingTable.rowBytes(series.length);
    }, 0);
    const fitting = Math.floor((maxBytes * FIRST_SHARE) / Math.max(1, rowBytes));
    const firstRows = Math.max(FIRST_ROWS_MIN, Math.min(FIRST_ROWS_MAX, fitting));
    const divisors = sources.map(({ limit }) => divisorOf(rateHz, limit?.hz));
    const least = divisors.reduce((a, b) => Math.min(a, b), Infinity);
    this.#members = sources.map((source, index) => ({
      ...{ index, source, deferred: source.deferred },
      row: new Float64Array(source.series.length).fill(Number.NaN),
      table: new ReadingTable(source.series.length, firstRows, this.#budget),
      // Rounds of slower sources are rounds of the fastest, so that no more are needed.
      every: Math.ceil((divisors[index] ?? 1) / least) * least,
      nextRound: 0,
      keptRound: -1,
      isGoing: true,
      isThinned: false,
      failure: undefined,
    }));
  }

  /**
   * Samples until it is told to end or abandon; the last reading of an end is taken then.
   *
   * @param onBegun called after the first round
   * @param onTake called with the readings so far when it is told to take
   */
  run(onBegun: () => void, onTake: (tables: ReadingChunk[][]) => void): void {
    this.#startNs = process.hrtime.bigint();
    this.#round(0);
    onBegun();
    for (;;) {
      const next = this.#nextRound();
      const dueNs = next * this.#periodNs;
      const command = this.#waitFor(dueNs - this.#elapsedNs());
      if (command === COMMANDS.take) {
        this.#parse(Infinity);
        onTake(this.#members.map(({ table }) => table.take()));
        Atomics.compareExchange(this.#control, 0, COMMANDS.take, COMMANDS.go);
        continue;
      }
      if (command !== COMMANDS.go) {
        if (command === COMMANDS.end) this.#readLast();
        return;
      }
      const nowNs = this.#elapsedNs();
      this.#lateness.add(nowNs - dueNs);
      const current = Math.max(next, Math.floor(nowNs / this.#periodNs));
      if (current > next) this.#missed += this.#roundsBetween(next, current);
      this.#round(current);
      if (this.#unparsedRounds >= BATCH_ROUNDS) {
        this.#parse(this.#nextRound() * this.#periodNs - PARSE_MARGIN_NS);
      }
      this.#lastElapsedNs = nowNs;
    }
  }

  /** All readings that were not taken yet, by source. */
  close(): ReadingChunk[][] {
    return this.#members.map(({ table }) => table.close());
  }

  /** How it fared so far. */
  statistics(): LoopStatistics {
    const seconds = this.#lastElapsedNs / 1e9;
    return {
      rounds: this.#rounds,
      missed: this.#missed,
      achievedHz: seconds > 0 ? (this.#rounds - 1) / seconds : 0,
      latenessP50Ns: this.#lateness.percentileNs(0.5),
      latenessP99Ns: this.#lateness.percentileNs(0.99),
      latenessMaxNs: this.#lateness.maxNs,
      thinnedBy: this.#thinnedBy,
      sources: this.#members.map(({ every, isThinned, failure }) => {
        return { rateHz: this.#rateHz / every, isThinned, failure };
      }),
    };
  }

  #round(number: number): void {
    this.#rounds += 1;
    this.#unparsedRounds += 1;
    for (const member of this.#members) {
      if (!member.isGoing || member.nextRound > number) continue;
      this.#read(member, number);
      member.nextRound = (Math.floor(number / member.every) + 1) * member.every;
    }
  }

  #read(member: Member, round: number): void {
    const { source, deferred, row } = member;
    try {
      if (deferred !== undefined) {
        if (this.#pending.isFull) this.#parse(Infinity);
        const outcome = this.#pending.take(deferred, member.index, round);
        if (outcome === 'ended') member.isGoing = false;
        return;
      }
      const atMonoNs = process.hrtime.bigint();
      const outcome = source.read(row);
      if (outcome === 'ended') member.isGoing = false;
      if (outcome === 'read') this.#append(member, atMonoNs);
    } catch (error) {
      giveUp(member, error);
    }
  }

  /** Parses what was taken, until some time after the start or to its end. */
  #parse(untilNs: number): void {
    while (this.#elapsedNs() < untilNs) {
      const reading = this.#pending.next();
      if (reading === undefined) {
        this.#unparsedRounds = 0;
        return;
      }
      const member = this.#members[reading.member];
      if (member?.deferred === undefined) continue;
      const { every, keptRound, row } = member;
      const { round, monoNs } = reading;
      // If it was thinned after the texts were taken, only some of them have a place now.
      if (Math.floor(round / every) === Math.floor(keptRound / every)) continue;
      try {
        if (!member.deferred.parse(this.#pending.texts, row)) continue;
      } catch (error) {
        giveUp(member, error);
        continue;
      }
      member.keptRound = round;
      this.#append(member, monoNs);
    }
  }

  #append({ table, row }: Member, atMonoNs: bigint): void {
    if (table.isFull) this.#makeRoom(table);
    table.append(atMonoNs, row);
  }

  #readLast(): void {
    for (const member of this.#members) if (member.isGoing) this.#read(member, Infinity);
    this.#parse(Infinity);
  }

  #makeRoom(table: ReadingTable): void {
    while (table.isFull && !this.#budget.has(table.growthBytes)) this.#thin();
    if (table.isFull) table.grow();
  }

  /** Halves the rate of the fastest sources, and drops every second reading of theirs. */
  #thin(): void {
    const least = this.#members.reduce((every, member) => Math.min(every, member.every), Infinity);
    const step = least * 2;
    this.#thinnedBy *= 2;
    for (const member of this.#members) {
      const every = Math.ceil(member.every / step) * step;
      if (every === member.every) continue;
      if (every === member.every * 2) member.table.thin();
      member.every = every;
      member.isThinned = true;
      member.nextRound = Math.ceil(member.nextRound / every) * every;
    }
  }

  #nextRound(): number {
    let next = Infinity;
    for (const { isGoing, nextRound } of this.#members) {
      if (isGoing && nextRound < next) next = nextRound;
    }
    return next;
  }

  /** Rounds after one and up to another in which the fastest source should have been read. */
  #roundsBetween(after: number, upTo: number): number {
    let most = 0;
    for (const { isGoing, every } of this.#members) {
      if (!isGoing) continue;
      most = Math.max(most, Math.floor(upTo / every) - Math.floor(after / every));
    }
    return most;
  }

  /** Since the first round was due. */
  #elapsedNs(): number {
    return Number(process.hrtime.bigint() - this.#startNs);
  }

  #waitFor(durationNs: number): number {
    if (durationNs > 0) Atomics.wait(this.#control, 0, COMMANDS.go, durationNs / 1e6);
    return Atomics.load(this.#control, 0);
  }
}

function giveUp(member: Member, error: unknown): void {
  member.isGoing = false;
  member.failure = errorMessageOf(error);
}

/** In which part of the rounds a source with such a limit is read. */
function divisorOf(rateHz: number, limitHz = Infinity): number {
  // A limit that is the rate itself must not become its half by rounding.
  return Math.max(1, Math.ceil(rateHz / limitHz - 1e-9));
}
