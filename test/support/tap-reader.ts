/** What became of one test. */
export interface TapTest {
  /** File and title, as the test runner writes them. */
  readonly title: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** What the test logged. */
  readonly log: readonly string[];
  /** What the test runner says about a failure. */
  readonly details: readonly string[];
}

/** What a test logs to say that it could not run here, with the reason behind the colon. */
const SKIPPED_LOG = /^skipped\b/i;

/**
 * Reads the test runner's output (Test Anything Protocol 13) line by line. A test that passed and
 * whose log begins with "skipped" counts as skipped: the runner can't skip once a test has begun.
 */
export class TapReader {
  /** True once the runner has written its summary: everything that was to run has been told. */
  isComplete = false;
  readonly #onTest: (test: TapTest) => void;
  #current: { line: RegExpExecArray; log: string[]; details: string[] } | undefined;
  #isInDetails = false;

  constructor(onTest: (test: TapTest) => void) {
    this.#onTest = onTest;
  }

  /** Takes the next line, without its line end. */
  push(line: string): void {
    if (this.#isInDetails) {
      this.#isInDetails = line !== '  ...';
      if (this.#isInDetails) this.#current?.details.push(line);
      return;
    }
    const test = /^(not ok|ok) \d+ - (.*?)(?: # (SKIP|TODO)\b.*)?$/.exec(line);
    if (test !== null) {
      this.end();
      this.#current = { line: test, log: [], details: [] };
    } else if (line === '  ---') this.#isInDetails = true;
    else if (line.startsWith('#   ')) this.#current?.log.push(line.slice(4));
    else if (/^1\.\.\d+$/.test(line)) this.isComplete = true;
  }

  /** Tells of the last test, whose end no further test announces. */
  end(): void {
    if (this.#current === undefined) return;
    const { line, log, details } = this.#current;
    this.#current = undefined;
    this.#isInDetails = false;
    const [, verdict, title = '', directive] = line;
    const isSkipped =
      directive !== undefined || (verdict === 'ok' && SKIPPED_LOG.test(log[0] ?? ''));
    const outcome = isSkipped ? 'skipped' : verdict === 'ok' ? 'passed' : 'failed';
    this.#onTest({ title, outcome, log, details });
  }
}
