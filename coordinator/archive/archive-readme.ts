import type { Run } from '../../schemas/run.ts';
import type { ArchivedFile } from './archive-manifest.ts';

/** What each file of a run is, and how it is read without Lockstep. First match counts. */
const FILE_TEXTS: readonly [pattern: RegExp, text: string][] = [
  [/^run\.json$/, 'The record of the run: question, experiment, devices with their facts, state.'],
  [/^plan\.json$/, 'The plan: cells (combinations of factors) and trials in their order.'],
  [/^experiment\.yaml$/, 'The experiment as it was submitted.'],
  [/^results\.ndjson$/, 'The raw results: one JSON object per line, device and trial.'],
  [/^samples\.ndjson$/, 'The raw samples: one JSON object per line, a block of one trial.'],
  [/^events\.ndjson$/, 'What happened to the run and when: one JSON object per line.'],
  [
    /\.parquet$/,
    'A table in columns: results, instances or samples. pandas, polars, R and DuckDB read it.',
  ],
  [/^parquet\.json$/, 'Of which results the Parquet files were made, with their digests.'],
  [/\.html$/, 'The report, with all figures in it. Open it in a browser.'],
  [/\.md$/, 'The report, as Markdown text.'],
  [/\.svg$/, 'A figure of the report. Open it in a browser.'],
  [/\.csv$/, 'A table, with the names of its columns in the first row.'],
];

/** The text for people in an archive. The same run gives the same text. */
export function archiveReadme(run: Run, files: readonly ArchivedFile[]): string {
  const width = Math.max(...files.map(({ path }) => path.length), 'archive.json'.length);
  const row = (path: string, text: string): string => `  ${path.padEnd(width)}  ${text}`;
  return `${[
    `Run ${run.runId} of experiment ${run.experiment.experiment}`,
    '',
    `Question: ${run.experiment.question}`,
    '',
    'This archive holds everything that was recorded of one run of Lockstep, which starts',
    'sandboxes on many devices at the same instant and measures them. The files are plain and can',
    'be read without it.',
    '',
    'Files',
    row('archive.json', 'Length and SHA-256 of every file, and the versions that wrote this.'),
    ...files.map(({ path }) => row(path, textOf(path))),
    '',
    'Reading them',
    '  A result is of one device and one trial: its cell, status, clock (offset to fleet time and',
    '  the bound of its error), start, and the instances with the instant of each phase.',
    '  Stamps are integer nanoseconds in decimal strings, on the CLOCK_MONOTONIC of the device;',
    '  differences on one device are durations. A stamp that is absent was not seen: it is not 0.',
    '  The latency of a cold start is firstByte minus request.',
    '  "status": "failed" and a non-empty "invalid" are results that count in no latency, with',
    '  their reasons. Where "reportedBy" is "coordinator" and the device has a result of the same',
    '  trial and attempt too, the one of the device counts. Equal lines count once.',
    '  In every object the last member "check" is the CRC-32 of all bytes of its text before the',
    '  comma in front of it; older runs have none.',
    '    Python: import json; results = [json.loads(line) for line in open("results.ndjson")]',
    "    jq:     jq -c '{trialId, deviceId, cell: .cell.id, status}' results.ndjson",
    '',
    'Checking them',
    '  lockstep verify FILE checks an archive as a whole; lockstep import FILE takes it in.',
    '  Without Lockstep, compare sha256sum of each file with archive.json.',
  ].join('\n')}\n`;
}

function textOf(path: string): string {
  return FILE_TEXTS.find(([pattern]) => pattern.test(path))?.[1] ?? 'A file in the folder.';
}
