import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { VERSION } from '../../schemas/version.ts';
import { PROTOCOLS } from '../../telemetry/endpoints/endpoint-settings.ts';
import type { CompareOptions } from './commands/compare.ts';
import { addImagesCommand } from './commands/images-command.ts';
import type { ImportOptions } from './commands/import.ts';
import {
  positiveNumber,
  sandboxNames,
  wholeNumber,
  withClientOptions,
} from './commands/options.ts';
import type { OtelCheckOptions } from './commands/otel.ts';
import type { PlanOptions } from './commands/plan.ts';
import type { QuickstartOptions } from './commands/quickstart.ts';
import type { ReportOptions } from './commands/report.ts';
import type { QueryOptions } from './commands/query.ts';
import type { ResultsOptions } from './commands/results.ts';
import type { RunOptions } from './commands/run.ts';
import { addSelftestCommand } from './commands/selftest-command.ts';
import type { StudyOptions } from './commands/study.ts';
import type { TrendOptions } from './commands/trend.ts';
import type { CoordinatorOptions, UpOptions } from './commands/up.ts';
import type { ClientOptions } from './client.ts';
import { ARMS } from '../study/suite.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { CHECKOUT_FOLDER } from './home.ts';
import { runCommand } from './session.ts';
import type { GlobalOptions, Work } from './session.ts';

interface JsonOption {
  readonly json?: boolean;
}

interface OutOption {
  readonly out?: string;
}

const AGENTS_MAX = 256;
const REPETITIONS_MAX = 100_000;
const QUICKSTART = join(CHECKOUT_FOLDER, 'experiments/quickstart.yaml');

const program = new Command('lockstep')
  .description('One trial, every device, the same instant: synchronized sandbox measurements')
  .version(VERSION)
  .option('--data <folder>', 'data folder (default: .lockstep in the checkout, or LOCKSTEP_HOME)')
  .option('--no-color', 'no colours')
  .enablePositionalOptions()
  .showHelpAfterError()
  .exitOverride();

// A command is loaded when it is asked for: all together would make each wait for them.
async function execute(load: () => Promise<Work>): Promise<void> {
  process.exitCode = await runCommand(program.opts<GlobalOptions>(), await load());
}

const agentsOption = [
  '--agents <n>',
  'agents on this machine',
  wholeNumber(0, AGENTS_MAX),
] as const;
const hostOption = ['--host <address>', 'address of the server', '127.0.0.1'] as const;
const portOption = [
  '--port <n>',
  'port of the server; 0 takes any free one',
  wholeNumber(0, 65_535),
] as const;
const otlpOption = [
  '--otlp <file>',
  'OTLP endpoints that telemetry is sent to, beside that of the OTEL_EXPORTER_OTLP_* variables',
] as const;
const sandboxesOption = [
  '--sandboxes <names>',
  'kinds of sandbox that the agents offer, separated by commas (default: all that work)',
  sandboxNames,
] as const;
const repetitionsOption = [
  '--repetitions <n>',
  'trials per cell, in place of what the file says',
  wholeNumber(1, REPETITIONS_MAX),
] as const;

program
  .command('quickstart')
  .description('start everything here, run one experiment, show its table, end everything')
  .option(...agentsOption, 3)
  .option(...sandboxesOption)
  .option(...repetitionsOption)
  .option('--experiment <file>', 'experiment file', QUICKSTART)
  .action((options: QuickstartOptions) =>
    execute(async () => (await import('./commands/quickstart.ts')).quickstart(options)),
  );
program
  .command('study')
  .description('run the experiments of arXiv 2403.00515, and compare with what was published')
  .addOption(new Option('--arm <name>', 'how it is done (default: faithful)').choices(ARMS))
  .option('--quick', 'as --arm quick: a part of everything, in some minutes')
  .option('--only <names>', 'experiments, separated by commas', (text: string) => text.split(','))
  .option('--resume [study]', 'go on with a study: its id or folder (default: the newest)')
  .option('--study <id>', 'id of the study, which is begun or gone on with')
  .option('--plan', 'say how long it will take, and do nothing')
  .option(...agentsOption, 1)
  .option(...sandboxesOption)
  .option('--out <file>', 'the HTML report also to this file')
  .option('--json', 'as JSON')
  .option('--markdown', 'report.md beside the HTML report')
  .action((options: StudyOptions) =>
    execute(async () => (await import('./commands/study.ts')).study(options)),
  );
program
  .command('up')
  .description('start server, coordinator and local agents, until Ctrl-C')
  .option(...agentsOption, 1)
  .option(...sandboxesOption)
  .option(...hostOption)
  .option(...portOption, 4222)
  .option(...otlpOption)
  .action((options: UpOptions) =>
    execute(async () => (await import('./commands/up.ts')).up(options)),
  );
program
  .command('server')
  .description('start the NATS server of the data folder alone, until Ctrl-C')
  .option(...hostOption)
  .option(...portOption, 4222)
  .action((options: Omit<UpOptions, 'agents'>) =>
    execute(async () => (await import('./commands/up.ts')).server(options)),
  );
program
  .command('coordinator')
  .description('start a coordinator on a NATS server that runs elsewhere, until Ctrl-C')
  .requiredOption('--server <url>', 'NATS server')
  .requiredOption('--creds <file>', 'credential of the coordinator')
  .requiredOption('--timekeeper-creds <file>', 'credential of the timekeeper')
  .option('--researcher-creds <file>', 'credential that commands on this machine then use')
  .option(...otlpOption)
  .action((options: CoordinatorOptions) =>
    execute(async () => (await import('./commands/up.ts')).coordinator(options)),
  );
program
  .command('agent')
  .description('run an agent on this machine (see: lockstep agent)')
  .allowUnknownOption()
  .passThroughOptions()
  .helpOption(false)
  .argument('[options...]', '--server URL --creds FILE --data FOLDER')
  .action((args: string[]) =>
    execute(async () => (await import('./commands/agent.ts')).agent(args)),
  );
withClientOptions(program.command('run'))
  .description('run an experiment and show its table')
  .argument('<file>', 'experiment file')
  .option(...repetitionsOption)
  .option('--detach', 'start it, print its id and leave')
  .action((file: string, options: RunOptions) =>
    execute(async () => (await import('./commands/run.ts')).run(file, options)),
  );
withClientOptions(program.command('plan'))
  .description('show what a run would do on the fleet as it is now, and what its question needs')
  .argument('<file>', 'experiment file')
  .option(...repetitionsOption)
  .option('--pilot <run>', 'run whose values tell (default: the newest that has the cells)')
  .option('--detect <percent>', 'difference of medians to find', positiveNumber(1000), 5)
  .option(
    '--hosts <n>',
    'machines that take part (default: as in the pilot)',
    wholeNumber(1, 10_000),
  )
  .option(
    '--comparisons <n>',
    'comparisons to be made (default: every pair of cells)',
    wholeNumber(1, 1_000_000),
  )
  .option('--json', 'as JSON')
  .action((file: string, options: PlanOptions) =>
    execute(async () => (await import('./commands/plan.ts')).plan(file, options)),
  );
program
  .command('check')
  .description('check an experiment file: every mistake at once')
  .argument('<file>', 'experiment file')
  .action((file: string) => execute(async () => (await import('./commands/check.ts')).check(file)));
const devicesCommand = withClientOptions(program.command('devices'))
  .description('list the devices, with what they can run')
  .option('--json', 'as JSON')
  .action((options: ClientOptions & JsonOption) =>
    execute(async () => (await import('./commands/devices.ts')).devices(options)),
  );
devicesCommand
  .command('add')
  .description('make a credential for a device elsewhere')
  .argument('<id>', 'id of the device')
  .option('--out <file>', 'where to write it (default: ID.creds)')
  .action((deviceId: string, options: OutOption) =>
    execute(async () => (await import('./commands/devices.ts')).addDevice(deviceId, options)),
  );
withClientOptions(program.command('clocks'))
  .description('measure how the clock of each device stands to fleet time now')
  .option('--json', 'as JSON')
  .action((options: ClientOptions & JsonOption) =>
    execute(async () => (await import('./commands/clocks.ts')).clocks(options)),
  );
program
  .command('runs')
  .description('list the runs, newest first')
  .option('--json', 'as JSON')
  .action((options: JsonOption) =>
    execute(async () => (await import('./commands/runs.ts')).runs(options)),
  );
withClientOptions(program.command('cancel'))
  .description('cancel a run; what was reported is kept')
  .argument('<run>', 'id of the run')
  .action((runId: string, options: ClientOptions) =>
    execute(async () => (await import('./commands/runs.ts')).cancel(runId, options)),
  );
program
  .command('results')
  .description('show the results of a run')
  .argument('[run]', 'id of the run', 'latest')
  .option('--json', 'as JSON')
  .option('--csv', 'as CSV, a row per sandbox')
  .option('--parquet', 'write its Parquet files, and say where they are')
  .option('--out <folder>', 'with --parquet: copy them into this folder')
  .action((runId: string, options: ResultsOptions) =>
    execute(async () => (await import('./commands/results.ts')).results(runId, options)),
  );
program
  .command('query')
  .description('ask a question in SQL about all runs on disk')
  .argument('[sql]', 'a SELECT')
  .option('--tables', 'show the tables and their columns')
  .option('--json', 'as NDJSON, an object per row')
  .option('--csv', 'as CSV')
  .option('--parquet <file>', 'into a Parquet file')
  .option('--rows <n>', 'most rows of the table of text', wholeNumber(1, 1_000_000), 100)
  .action((sql: string | undefined, options: QueryOptions) =>
    execute(async () => (await import('./commands/query.ts')).query(sql, options)),
  );
program
  .command('report')
  .description('write the report of a run: HTML, or Markdown with SVG figures too')
  .argument('[run]', 'id of the run', 'latest')
  .option('--out <path>', 'also to this file; Markdown: into this folder')
  .option('--markdown', 'report.md and figures/ beside the HTML report')
  .action((runId: string, options: ReportOptions) =>
    execute(async () => (await import('./commands/report.ts')).report(runId, options)),
  );
const marginOption = [
  '--margin <percent>',
  'change of a median that does not matter',
  positiveNumber(1000),
  5,
] as const;
program
  .command('compare')
  .description('compare two runs, cell by cell; with --self, halves of one run')
  .argument('<before>', 'id of a run')
  .argument('[after]', 'id of a run, or latest')
  .option(...marginOption)
  .option('--self', 'compare halves of one run: does the set-up differ from itself?')
  .option('--json', 'as JSON')
  .action((before: string, after: string | undefined, options: CompareOptions) =>
    execute(async () => (await import('./commands/compare.ts')).compare(before, after, options)),
  );
program
  .command('regress')
  .description(
    'compare a run with a baseline: exit code 6 if it is slower or fails more, 7 if open',
  )
  .argument('<baseline>', 'id of a run')
  .argument('[run]', 'id of a run', 'latest')
  .option(...marginOption)
  .option('--json', 'as JSON')
  .action((baseline: string, runId: string, options: CompareOptions) =>
    execute(async () => (await import('./commands/compare.ts')).regress(baseline, runId, options)),
  );
program
  .command('archive')
  .description('put everything of an ended run into one file')
  .argument('[run]', 'id of the run', 'latest')
  .option('--out <file>', 'where to write it (default: RUN.lockstep.tar.gz)')
  .action((runId: string, options: OutOption) =>
    execute(async () => (await import('./commands/archive.ts')).archive(runId, options)),
  );
program
  .command('verify')
  .description('check an archive of a run, and say what is in it')
  .argument('<archive>', 'file that lockstep archive made')
  .option('--json', 'as JSON')
  .action((path: string, options: JsonOption) =>
    execute(async () => (await import('./commands/verify.ts')).verify(path, options)),
  );
program
  .command('import')
  .description("take in an archive, a CSV of the study or hyperfine's JSON as a run")
  .argument('<file>', 'file to read')
  .option('--as <kind>', 'kind of file, where its content does not tell')
  .option('--json', 'as JSON')
  .action((file: string, options: ImportOptions) =>
    execute(async () => (await import('./commands/import.ts')).importRun(file, options)),
  );
program
  .command('trend')
  .description('follow medians over runs: all of the newest experiment, or those named')
  .argument('[words...]', 'a cell, e.g. runc/hello-go/1, then ids of runs')
  .option(...marginOption)
  .option('--json', 'as JSON')
  .action((words: string[], options: TrendOptions) =>
    execute(async () => (await import('./commands/trend.ts')).trend(words, options)),
  );
program
  .command('otel')
  .description('OpenTelemetry: "otel check" tries endpoints')
  .command('check')
  .description('send what one trial gives to OTLP endpoints, and say what came back')
  .option('--endpoint <url>', 'address of an endpoint (default: the OTEL_* variables)')
  .addOption(new Option('--protocol <name>', 'how to speak to it').choices(PROTOCOLS))
  .option('--header <name=value...>', 'header to send to it')
  .option('--file <file>', 'list of endpoints, as the coordinator reads it')
  .option('--json', 'as JSON')
  .action((options: OtelCheckOptions) =>
    execute(async () => (await import('./commands/otel.ts')).otelCheck(options)),
  );
addImagesCommand(program, execute);
addSelftestCommand(program, execute);
program
  .command('doctor')
  .description('say what this machine has and lacks, and how to get it')
  .option('--json', 'as JSON')
  .action((options: JsonOption) =>
    execute(async () => (await import('./commands/doctor.ts')).doctor(options)),
  );

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage;
}
// A connection that still closes must not keep a finished command; exit codes are set above.
process.exit();
