import { copyFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { renderCsv } from '../../report/csv.ts';
import { renderJson } from '../../report/json.ts';
import { renderTable } from '../../report/table.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { readRunSummary, writeReport } from '../report-files.ts';
import type { Work } from '../session.ts';

/** Shows the results of a run: a table, JSON or CSV. Needs no coordinator. */
export function results(runId: string, options: { json?: boolean; csv?: boolean }): Work {
  return async ({ home, output }) => {
    const { run, plan, results: all, summary } = await readRunSummary(home.folder, runId);
    if (options.json === true) output.result(renderJson(run, plan, all, summary));
    else if (options.csv === true) output.result(renderCsv(run, plan, all));
    else {
      const colour = output.resultsHaveColour;
      output.result(renderTable(summary, { colour, width: output.width }));
    }
    return EXIT_CODES.ok;
  };
}

/** Writes the report of a run and says where it is. Needs no coordinator. */
export function report(runId: string, options: { out?: string }): Work {
  return async ({ home, output }) => {
    const written = await writeReport(await readRunSummary(home.folder, runId));
    if (options.out !== undefined) await copyFile(written, resolve(options.out));
    output.result(options.out === undefined ? written : resolve(options.out));
    return EXIT_CODES.ok;
  };
}
