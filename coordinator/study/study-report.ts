import type { JudgedClaim } from './claims.ts';
import type { ClaimVerdict } from './claim-rule.ts';
import { judgeClaims } from './claims.ts';
import { MeasuredSuite } from './measured-suite.ts';
import type { MeasuredExperiment, CellStatus } from './study-cell.ts';
import { studySections } from './study-rows.ts';
import type { StudySection } from './study-rows.ts';
import type { Arm } from './suite.ts';

/** Everything that the report of a study says. */
export interface StudyReport {
  readonly studyId: string;
  readonly arm: Arm;
  readonly startedAtUtcMs: number;
  /** Cells by what became of them. */
  readonly counts: Readonly<Record<CellStatus, number>>;
  readonly verdicts: Readonly<Record<ClaimVerdict, number>>;
  readonly claims: readonly JudgedClaim[];
  readonly sections: readonly StudySection[];
}

/** What a report is made of, beside what was measured. */
export interface StudyIdentity {
  readonly studyId: string;
  readonly arm: Arm;
  readonly startedAtUtcMs: number;
  /** The experiments that this study has, by name. */
  readonly names: readonly string[];
}

/** Puts a study together. Pure. */
export function studyReport(
  { studyId, arm, startedAtUtcMs, names }: StudyIdentity,
  experiments: readonly MeasuredExperiment[],
): StudyReport {
  const suite = new MeasuredSuite(experiments);
  const sections = studySections(suite, arm, names);
  const counts = { filled: 0, failed: 0, unavailable: 0, 'not-run': 0 };
  for (const section of sections) {
    for (const status of Object.keys(counts) as CellStatus[]) {
      counts[status] += section.counts[status];
    }
  }
  const claims = judgeClaims(suite);
  const verdicts = { reproduced: 0, 'not-reproduced': 0, 'not-measurable': 0 };
  for (const { verdict } of claims) verdicts[verdict] += 1;
  return { studyId, arm, startedAtUtcMs, counts, verdicts, claims, sections };
}
