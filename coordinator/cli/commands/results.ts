import { csvDocument } from '../../report/csv.ts';
import { jsonDocument } from '../../report/json.ts';
import { renderTable } from '../../report/table.ts';
import { LockstepError } from '../../../schemas/errors.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { openRun, readRunSummary } from '../report-files.ts';
import type { Work } from '../session.ts';
import { resultsParquet } from './results-parquet.ts';

/** What `lockstep results` takes. */
export interface ResultsOptions {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly parquet?: boolean;
  /** Folder of the Parquet files. */
  readonly out?: string;
}

/** Shows the results of a run: a table, JSON, CSV or Parquet files. Needs no coordinator. */
export function results(runId: string, options: ResultsOptions): Work {
  if (options.parquet === true) return resultsParquet(runId, options.out);
  return async ({ home, output }) => {
    if (options.out !== undefined) {
      throw new LockstepError('USAGE', '--out goes with --parquet', {
        hint: 'Redirect the output for anything else.',
      });
    }
    const say = (text: string): void => {
      output.say(text);
    };
    if (options.csv === true) {
      const { run, plan, trials } = await openRun(home.folder, runId, say);
      await output.resultPieces(csvDocument(run, plan, trials));
      if (trials.damage !== undefined) say(`warning: ${trials.damage.message}`);
      return EXIT_CODES.ok;
    }
    const { run, plan, trials, summary } = await readRunSummary(home.folder, runId, say);
    if (options.json === true) {
      await output.resultPieces(jsonDocument(run, plan, trials, summary));
    } else {
      const colour = output.resultsHaveColour;
      output.result(renderTable(summary, { colour, width: output.width }));
    }
    return EXIT_CODES.ok;
  };
}
