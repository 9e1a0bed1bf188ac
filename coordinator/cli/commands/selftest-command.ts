import type { Command } from 'commander';
import type { Work } from '../session.ts';
import { sandboxNames, wholeNumber } from './options.ts';
import type { SelftestOptions } from './selftest.ts';

const SECONDS_MAX = 86_400;

/** Adds `selftest` to the program. */
export function addSelftestCommand(
  program: Command,
  execute: (load: () => Promise<Work>) => Promise<void>,
): void {
  program
    .command('selftest')
    .description('test the kinds of sandbox of this machine: exit code 5 if one that is here fails')
    .option(
      '--sandboxes <names>',
      'kinds of sandbox, separated by commas, or all',
      (text: string) => (text === 'all' ? text : sandboxNames(text)),
      'all',
    )
    .option(
      '--seconds <n>',
      'time for trials in all kinds together, after the checks',
      wholeNumber(0, SECONDS_MAX),
      60,
    )
    .option('--out <file>', 'the report as JSON also to this file')
    .option('--json', 'as JSON')
    .action((options: SelftestOptions) =>
      execute(async () => (await import('./selftest.ts')).selftest(options)),
    );
}
