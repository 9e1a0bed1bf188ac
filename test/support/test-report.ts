import type { TapTest } from './tap-reader.ts';

/** How a test run went, besides its tests. */
export interface RunEnd {
  /** Exit code of the test runner; null if a signal ended it. */
  readonly exitCode: number | null;
  /** True if the test runner wrote its summary. */
  readonly isComplete: boolean;
}

/** Collects tests and says for people what became of them. */
export class TestReport {
  readonly #files = new Map<string, { passed: number; failed: number; skipped: number }>();

  /** Counts a test. Returns what is worth saying at once; empty for a test that passed. */
  add(test: TapTest): string[] {
    const file = fileOf(test.title);
    const counts = this.#files.get(file) ?? { passed: 0, failed: 0, skipped: 0 };
    counts[test.outcome] += 1;
    this.#files.set(file, counts);
    if (test.outcome === 'passed') return [];
    const log = test.log.map((line) => `    ${line}`);
    if (test.outcome === 'skipped') return [`SKIP ${test.title}`, ...log];
    return [`FAIL ${test.title}`, ...log, ...test.details.map((line) => `  ${line}`)];
  }

  /** One line per file, then what went wrong besides, then the counts, alone on the last line. */
  finish({ exitCode, isComplete }: RunEnd): { lines: string[]; isGood: boolean } {
    const lines = [...this.#files].map(([file, counts]) => `${file}: ${countsText(counts)}`);
    const total = { passed: 0, failed: 0, skipped: 0 };
    for (const counts of this.#files.values()) {
      total.passed += counts.passed;
      total.failed += counts.failed;
      total.skipped += counts.skipped;
    }
    const problems = this.#problems(total, { exitCode, isComplete });
    // A failure of the run as a whole counts, so that the last line can't contradict the exit code.
    if (problems.length > 0 && total.failed === 0) total.failed = 1;
    return {
      lines: [...lines, ...problems, countsText(total)],
      isGood: total.failed === 0,
    };
  }

  #problems(total: { passed: number; failed: number }, { exitCode, isComplete }: RunEnd): string[] {
    if (!isComplete) return ['The test runner ended before its summary; see what it said above.'];
    if (total.passed + total.failed === 0) return ['No test ran: no file or title matches.'];
    if (exitCode === 0 || total.failed > 0) return [];
    return [`No test failed, but the test runner ended with exit code ${exitCode ?? 'none'}.`];
  }
}

/** Titles begin with the path of their file, in parts, unless only one file runs. */
function fileOf(title: string): string {
  const parts = title.split(' › ');
  return parts.length === 1 ? 'tests' : parts.slice(0, -1).join('/');
}

function countsText(counts: { passed: number; failed: number; skipped: number }): string {
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  return `${counts.passed} passed, ${counts.failed} failed${skipped}`;
}
