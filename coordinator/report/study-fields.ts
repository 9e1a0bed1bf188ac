import { CLAIM_VERDICTS, figure, intervalText } from '../study/claim-rule.ts';
import type { PublishedFigure } from '../study/published.ts';
import { quantityOf } from '../study/quantities.ts';
import type { StudyReport } from '../study/study-report.ts';
import type { StudyRow, StudySection } from '../study/study-rows.ts';

const SHOWN: Readonly<Record<string, readonly [number, string]>> = {
  ns: [1e6, 'ms'],
  By: [2 ** 20, 'MiB'],
  'By/s': [2 ** 20, 'MiB/s'],
  '{event}': [1, ''],
  '{request}/s': [1, '/s'],
  '{connection}': [1, ''],
};

/** A value in the unit that people read. */
function valueText(value: number, unit: string): string {
  const [divisor, name] = SHOWN[unit] ?? [1, unit];
  return `${figure(value / divisor)}${name === '' ? '' : ` ${name}`}`;
}

/** The columns of a row of the report, as texts; undefined is a dash. */
export interface StudyFields {
  readonly cell: string;
  readonly quantity: string | undefined;
  readonly n: string | undefined;
  readonly median: string | undefined;
  readonly ratio: string | undefined;
  readonly published: string | undefined;
  readonly publishedRatio: string | undefined;
  /** What became of it, with reason and stand-ins. */
  readonly note: string;
}

/** The texts of a row. */
export function studyFields(row: StudyRow): StudyFields {
  const { quantity, n, median, unit = '', published, ratio, reference } = row;
  return {
    cell: row.cellId,
    quantity: quantity === undefined ? undefined : quantityOf(quantity).title,
    n: quantity === undefined ? undefined : String(n),
    median: median === undefined ? undefined : valueText(median, unit),
    ratio:
      ratio === undefined
        ? undefined
        : `${ratioText(ratio.ratio, ratio.interval)} to ${reference ?? ''}`,
    published: published?.value === undefined ? undefined : valueText(published.value, unit),
    publishedRatio: published === undefined ? undefined : publishedRatio(published),
    note: noteOf(row),
  };
}

function ratioText(
  value: number,
  interval: { readonly lower: number; readonly upper: number } | undefined,
): string {
  const within = interval === undefined ? ', no interval' : ` ${intervalText(interval)}`;
  return figure(value) + within;
}

function publishedRatio({ ratio, interval }: PublishedFigure): string | undefined {
  if (ratio === undefined) return undefined;
  if (interval === undefined) return figure(ratio);
  return ratioText(ratio, { lower: interval[0], upper: interval[1] });
}

function noteOf({ status, reason, unlike, target, standIn }: StudyRow): string {
  const words: string[] = status === 'filled' ? [] : [status];
  if (reason !== undefined) words.push(reason);
  if (unlike !== undefined) words.push(unlike);
  if (standIn !== undefined && status === 'filled') {
    words.push(`stands for ${target ?? ''}: ${standIn}`);
  }
  return words.join(status === 'filled' ? '; ' : ': ');
}

/** What became of an experiment, in a line. */
export function sectionText({ name, state, runId, failure, counts }: StudySection): string {
  const cells = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ');
  const why =
    failure === undefined ? '' : `; ${failure.code}: ${failure.message.split('\n')[0] ?? ''}`;
  return `${name}: ${state}; cells: ${cells}${runId === undefined ? '' : `; run ${runId}`}${why}`;
}

/** What became of the claims, in a line. */
export function verdictText({ verdicts, claims }: StudyReport): string {
  const counts = Object.entries(CLAIM_VERDICTS).map(
    ([verdict, text]) => `${verdicts[verdict as keyof typeof verdicts]} ${text}`,
  );
  return `${claims.length} claims: ${counts.join(', ')}`;
}
