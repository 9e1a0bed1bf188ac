/** What a benchmark is given. */
export interface BenchmarkContext {
  /** True for the long version, whose numbers are worth quoting. */
  readonly full: boolean;
  /** Tells a person what goes on. */
  readonly log: (line: string) => void;
}

/** A value of a table. Undefined if it could not be measured, which is not 0. */
export type BenchmarkValue = string | number | undefined;

/** What a benchmark found out. */
export interface BenchmarkResult {
  /** Names of the columns, with their units, e.g. `p95Ms`. */
  readonly columns: readonly string[];
  /** One value per column in each row. */
  readonly rows: readonly (readonly BenchmarkValue[])[];
  /** What a reader must know to judge the numbers. */
  readonly notes: readonly string[];
}

/** Something worth measuring again and again. */
export interface Benchmark {
  readonly name: string;
  /** The question that it answers, as a sentence. */
  readonly description: string;
  run(context: BenchmarkContext): Promise<BenchmarkResult>;
}
