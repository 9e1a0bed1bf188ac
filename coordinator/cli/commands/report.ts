import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { renderMarkdown } from '../../report/markdown.ts';
import { storageError } from '../../recording/run-folder.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { readRunSummary, writeReport } from '../report-files.ts';
import type { Work } from '../session.ts';

/** What `lockstep report` takes. */
export interface ReportOptions {
  /** Also to this file; of Markdown, into this folder in place of the run's. */
  readonly out?: string;
  /** Also as Markdown with a file per figure. */
  readonly markdown?: boolean;
}

/** Writes the report of a run and says where it is. Needs no coordinator. */
export function report(runId: string, { out, markdown }: ReportOptions): Work {
  return async ({ home, output }) => {
    const say = (text: string): void => {
      output.say(text);
    };
    const written = await writeReport(await readRunSummary(home.folder, runId, say), say);
    if (markdown === true) {
      output.result(await writeMarkdown(written, out === undefined ? dirname(written) : out));
      return EXIT_CODES.ok;
    }
    if (out !== undefined) await writing(out, () => copyFile(written, resolve(out)));
    output.result(out === undefined ? written : resolve(out));
    return EXIT_CODES.ok;
  };
}

/** Turns a written page into `report.md` and `figures/` in a folder; returns the text's path. */
async function writeMarkdown(pagePath: string, out: string): Promise<string> {
  const folder = resolve(out);
  const { text, figures } = renderMarkdown(await readFile(pagePath, 'utf8'));
  const path = join(folder, 'report.md');
  await writing(folder, async () => {
    await mkdir(join(folder, 'figures'), { recursive: true });
    for (const { name, svg } of figures) await writeFile(join(folder, 'figures', name), svg);
    await writeFile(path, text);
  });
  return path;
}

async function writing(where: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw storageError(error, `cannot write ${where}`);
  }
}
