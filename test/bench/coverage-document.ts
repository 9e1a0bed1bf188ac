/**
 * Puts what the benchmark `coverage` found into docs/statistics.md:
 *
 *     npm run bench -- coverage --full --json > coverage.json
 *     node test/bench/coverage-document.ts coverage.json
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CoverageRow } from './coverage-cells.ts';

/** What the benchmark prints with --json. */
interface CoverageReport {
  readonly startedAtUtcMs: number;
  readonly full: boolean;
  readonly versions: { readonly node: string; readonly lockstep: string };
  readonly rows: readonly CoverageRow[];
  readonly notes: readonly string[];
}

const DOCUMENT = fileURLToPath(new URL('../../docs/statistics.md', import.meta.url));
const [BEGIN, END] = ['<!-- coverage: begin -->', '<!-- coverage: end -->'];
const DATA = ['normal', 'log-normal', 'bimodal'];

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: node test/bench/coverage-document.ts FILE');
const report = JSON.parse(readFileSync(path, 'utf8')) as CoverageReport;
const text = readFileSync(DOCUMENT, 'utf8');
const [before, after] = [text.split(BEGIN)[0] ?? '', text.split(END)[1] ?? ''];
writeFileSync(DOCUMENT, `${before}${BEGIN}\n\n${section(report)}\n\n${END}${after}`);

function section({ startedAtUtcMs, full, versions, rows, notes }: CoverageReport): string {
  const day = new Date(startedAtUtcMs).toISOString().slice(0, 10);
  const header = [
    ...['interval', 'devices', 'n'],
    ...DATA.flatMap((name) => [`${name}, %`, 'width, %']),
  ];
  const shapes = new Map(rows.map((row) => [`${row.interval} ${row.devices} ${row.n}`, row]));
  const lines = [...shapes.values()].map(({ interval, devices, n }) => [
    ...[interval, String(devices), String(n)],
    ...DATA.flatMap((name) => {
      const row = rows.find(
        (one) =>
          one.distribution === name &&
          one.interval === interval &&
          one.devices === devices &&
          one.n === n,
      );
      return [percentText(row?.coveragePercent), widthText(row?.widthPercent)];
    }),
  ]);
  return [
    `Measured on ${day} with Lockstep ${versions.lockstep} and Node ${versions.node}, ` +
      `${full ? 'full' : 'quick'} run of \`npm run bench -- coverage\`; seed 20261123. ` +
      notes.join(' '),
    '',
    tableLine(header),
    tableLine(header.map((_, index) => (index === 0 ? '---' : '---:'))),
    ...lines.map(tableLine),
  ].join('\n');
}

function percentText(percent: number | undefined): string {
  if (percent === undefined) return 'refused';
  return percent < 92 ? `**${percent.toFixed(1)}**` : percent.toFixed(1);
}

function widthText(percent: number | undefined): string {
  if (percent === undefined) return '';
  return percent < 10 ? percent.toFixed(1) : percent.toFixed(0);
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
