import { VERDICTS } from '../analysis/comparison.ts';
import type { CellComparison, RunComparison } from '../analysis/comparison.ts';
import { FAILURE_VERDICTS } from '../analysis/failure-comparison.ts';
import { formatMs } from '../analysis/format-ms.ts';
import type { Interval } from '../analysis/run-summary.ts';
import { SPLITS } from '../analysis/self-comparison.ts';
import type { SelfComparison } from '../analysis/self-comparison.ts';
import type { RatioBasis } from '../analysis/statistics/ratio-interval.ts';
import { textTable } from './text-table.ts';

const BASIS_TEXTS: Readonly<Record<RatioBasis, string>> = {
  trials:
    'interval over the trials of one host on each side; says nothing about other hosts, nor how ' +
    'much runs of one set-up differ (see: lockstep trend)',
  'hosts-paired': 'interval over hosts, each compared with itself',
  hosts: 'interval over the hosts of each side, which are not the same',
};

/** A comparison as text; pure. */
export function comparisonTable({ runIds, margin, cells }: RunComparison): string {
  const header = ['cell', 'n', 'before', 'after', 'ratio', '95 % interval', 'A12', 'p', 'verdict'];
  const verdicts = [...new Set(cells.map(({ verdict }) => verdict))];
  const bases = new Set(cells.flatMap(({ ratio }) => ratio?.basis ?? []));
  const cautions = new Set(cells.flatMap(({ caution }) => caution ?? []));
  return [
    `${runIds[0]} (before) and ${runIds[1]} (after); medians in ms; margin ${margin * 100} %`,
    '',
    textTable(header, cells.map(rowOf)),
    '',
    ...failureLines(cells),
    ...verdicts.map((verdict) => `${verdict}: ${VERDICTS[verdict]}.`),
    ...[...bases].map((basis) => `Ratio: ${BASIS_TEXTS[basis]}.`),
    ...[...cautions].map((caution) => `Caution: ${caution}.`),
    'A12: chance that a value after is larger than one before. p: rank sum test, by Holm.',
  ].join('\n');
}

/** The comparison of a run with itself as text; pure. */
export function selfComparisonText(self: SelfComparison): string {
  const tables = self.halves.flatMap(({ split, comparison }) => [
    `${SPLITS[split]}.`,
    textTable(
      ['cell', 'n', 'half 1', 'half 2', 'ratio', '95 % interval', 'A12', 'p', 'verdict'],
      comparison.cells.map(rowOf),
    ),
    '',
  ]);
  return [...tables, ...selfVerdict(self)].join('\n');
}

function selfVerdict({ halves, distinguished, untestable, runId }: SelfComparison): string[] {
  const lines: string[] = [];
  const cells = distinguished.map(({ split, cellId }) => `${cellId} (${split})`).join(', ');
  const all = halves[0]?.comparison.cells.length ?? 0;
  if (distinguished.length > 0) {
    lines.push(
      `${runId} distinguishes itself from itself: ${cells}. A difference of that size between ` +
        'runs would prove nothing.',
    );
  } else if (untestable.length < all) {
    lines.push(`${runId} does not distinguish itself from itself.`);
  }
  if (untestable.length > 0) {
    lines.push(`Too few values to tell, whatever they were: ${untestable.join(', ')}.`);
  }
  return lines;
}

/** `[0.981, 1.020]`, or `-`. */
export function intervalText(interval: Interval | undefined): string {
  if (interval === undefined) return '-';
  return `[${interval.lower.toFixed(3)}, ${interval.upper.toFixed(3)}]`;
}

function rowOf({ cellId, n, mediansNs, ratio, effect, pAdjusted, verdict }: CellComparison) {
  const [before, after] = mediansNs.map((value) => (value === undefined ? '-' : formatMs(value)));
  return [
    cellId,
    n.join(' '),
    before ?? '-',
    after ?? '-',
    ratio === undefined ? '-' : ratio.ratio.toFixed(3),
    intervalText(ratio?.interval),
    effect === undefined ? '-' : effect.a12.toFixed(2),
    pAdjusted === undefined ? '-' : pAdjusted.toPrecision(2),
    verdict,
  ];
}

/** The failures of each cell in which something failed. */
function failureLines(cells: readonly CellComparison[]): string[] {
  const failing = cells.flatMap(({ cellId, failures }) =>
    failures === undefined || Math.max(...failures.rates) === 0 ? [] : [{ cellId, failures }],
  );
  if (failing.length === 0) return ['No attempt failed in a cell that both runs have.', ''];
  const percent = (rate: number): string => (100 * rate).toFixed(1);
  const verdicts = [...new Set(failing.map(({ failures }) => failures.verdict))];
  return [
    textTable(
      ['failures', 'n', 'before %', 'after %', 'difference', 'interval', 'verdict'],
      failing.map(({ cellId, failures: { rates, n, difference, interval, verdict } }) => [
        cellId,
        n.join(' '),
        percent(rates[0]),
        percent(rates[1]),
        percent(difference),
        `[${percent(interval.lower)}, ${percent(interval.upper)}]`,
        verdict,
      ]),
    ),
    ...verdicts.map((verdict) => `${verdict}: ${FAILURE_VERDICTS[verdict]}.`),
    'Failures: difference in points, with an interval that holds for all cells at once.',
    '',
  ];
}
