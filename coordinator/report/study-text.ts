import { CLAIM_VERDICTS } from '../study/claim-rule.ts';
import type { JudgedClaim } from '../study/claims.ts';
import type { StudyReport } from '../study/study-report.ts';
import { printable } from './printable.ts';
import { sectionText, studyFields, verdictText } from './study-fields.ts';
import type { StudyFields } from './study-fields.ts';

const ABSENT = '-';

/** A note of a failure may be a page long; the HTML report has all of it. */
const NOTE_MAX = 100;

const COLUMNS: readonly (readonly [title: string, field: keyof StudyFields])[] = [
  ['cell', 'cell'],
  ['quantity', 'quantity'],
  ['n', 'n'],
  ['median', 'median'],
  ['ratio', 'ratio'],
  ['study', 'published'],
  ['study ratio', 'publishedRatio'],
  ['', 'note'],
];

/** The report of a study as plain text for a terminal, without a line end at its end. */
export function studyText(report: StudyReport): string {
  const parts = report.sections.map((section) =>
    [printable(sectionText(section)), ...tableLines(section.rows.map(studyFields))].join('\n'),
  );
  return [
    ...parts,
    ...report.claims.map(claimText),
    `${verdictText(report)} (${report.arm} arm)`,
  ].join('\n\n');
}

function tableLines(rows: readonly StudyFields[]): string[] {
  if (rows.length === 0) return [];
  const texts = rows.map((row) => COLUMNS.map(([, field]) => clip(row[field] ?? ABSENT)));
  const heads = COLUMNS.map(([title]) => title);
  const widths = heads.map((_, column) =>
    Math.max(...[heads, ...texts].map((row) => row[column]?.length ?? 0)),
  );
  return [heads, ...texts].map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function claimText({ id, claim, verdict, parts }: JudgedClaim): string {
  const lines = parts.map((part) => {
    const standIns = part.standIns.map((text) => `\n    stand-in: ${printable(text)}`).join('');
    return (
      `  ${part.title} (study: ${part.published}): ${CLAIM_VERDICTS[part.verdict]}, ` +
      `${printable(part.why)}${standIns}`
    );
  });
  return [`${id} ${CLAIM_VERDICTS[verdict]}: ${claim}`, ...lines].join('\n');
}

function clip(text: string): string {
  const shown = printable(text);
  return shown.length > NOTE_MAX ? `${shown.slice(0, NOTE_MAX - 1)}…` : shown;
}
