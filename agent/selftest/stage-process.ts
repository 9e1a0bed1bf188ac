import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Failure } from '../../schemas/failure.ts';
import { toFailure } from '../../schemas/failure.ts';
import { errorCodeOf } from '../../schemas/errors.ts';
import { traitsOf } from '../../schemas/sandbox.ts';
import type { SandboxName, SandboxTraits } from '../../schemas/sandbox.ts';
import { detectIsolation, isolationCommand } from '../runner/namespaces.ts';
import type { IsolationMode } from '../runner/namespaces.ts';
import { MISBEHAVE } from './misbehaving.ts';
import { removeCgroups } from './place.ts';
import type { Place } from './place.ts';
import type { StageSetUp } from './stage.ts';

/** What to run on a stage. */
export interface StageProgram<Report> {
  /** Path of the program; it gets the set-up as JSON and then the words. */
  readonly program: string;
  readonly words?: readonly string[];
  /** Options for Node. */
  readonly nodeOptions?: readonly string[];
  /** The program is killed after this time, ms. */
  readonly timeoutMs: number;
  /** It is killed as well if it reports nothing for this time, ms. Absent: it may be silent. */
  readonly silenceMs?: number;
  /** Kills it. */
  readonly signal?: AbortSignal;
  /** Told each report at once. */
  readonly onReport?: (report: Report) => void;
  /** Told what the program prints as errors. */
  readonly log: (text: string) => void;
}

/** What it reported, a JSON line each, or why it was not run. */
export interface StageOutcome<Report> {
  readonly reports: readonly Report[];
  readonly skipped?: Failure;
  /** True if it was killed because it took too long. */
  readonly isCutOff?: true;
}

/** The function that answers at /hello in each form. */
export const HELLO_FUNCTIONS: Record<SandboxTraits['runs'], string> = {
  program: 'hello-go',
  'static-program': 'hello-go',
  wasm: 'hello-wasm',
  worker: 'hello-worker',
};

/** Runs a program for a kind of sandbox inside the namespaces of a runner. */
export async function runOnStage<Report>(
  sandbox: SandboxName,
  place: Place,
  options: StageProgram<Report>,
): Promise<StageOutcome<Report>> {
  const isolation = await detectIsolation();
  if (isolation.mode === 'none') return { reports: [], skipped: isolation.failure };
  let setUp: StageSetUp;
  try {
    setUp = await prepare(sandbox, place);
  } catch (error) {
    if (errorCodeOf(error) !== 'TOOL_MISSING') throw error;
    return { reports: [], skipped: toFailure(error) };
  }
  return runInside(setUp, isolation.mode, options);
}

async function prepare(sandbox: SandboxName, place: Place): Promise<StageSetUp> {
  const { artefacts, cgroupName, scratchFolder } = place;
  const guestKernelFolder = await artefacts.guestKernelFolder();
  return {
    sandbox,
    scratchFolder,
    cgroupName,
    hello: await artefacts.functionRoot(HELLO_FUNCTIONS[traitsOf(sandbox).runs]),
    misbehaveFolder: (await artefacts.functionRoot(MISBEHAVE)).folder,
    imagesFolder: artefacts.imagesFolder,
    ...(guestKernelFolder === undefined ? {} : { guestKernelFolder }),
  };
}

async function runInside<Report>(
  setUp: StageSetUp,
  mode: IsolationMode,
  options: StageProgram<Report>,
): Promise<StageOutcome<Report>> {
  const { scratchFolder, cgroupName } = setUp;
  const [outer = '', ...words] = isolationCommand({
    ...{ scratchFolder, mode },
    command: [...(mode === 'root' ? oddInheritance() : []), ...innerCommand(setUp, options)],
  });
  const reports: Report[] = [];
  // A terminal's Ctrl-C goes to the whole group; the signal says when it ends.
  const child = spawn(outer, words, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      resolve();
    });
  });
  const killing = new AbortController();
  const kill = (): void => {
    killing.abort();
    child.kill('SIGKILL');
  };
  const { timeoutMs, silenceMs = timeoutMs, signal } = options;
  const timer = setTimeout(kill, timeoutMs);
  const silence = setTimeout(kill, silenceMs);
  signal?.addEventListener('abort', kill);
  if (signal?.aborted === true) kill();
  createInterface({ input: child.stdout }).on('line', (line) => {
    silence.refresh();
    const report = readReport(line, options.log) as Report | undefined;
    if (report === undefined) return;
    reports.push(report);
    options.onReport?.(report);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    options.log(text.trim());
  });
  try {
    await ended;
  } finally {
    clearTimeout(timer);
    clearTimeout(silence);
    signal?.removeEventListener('abort', kill);
    // Everything else ends with the namespaces.
    if (killing.signal.aborted) await removeCgroups(cgroupName);
  }
  return { reports, ...(killing.signal.aborted ? { isCutOff: true } : {}) };
}

/** The last line of a program that is killed may be half of one. */
function readReport(line: string, log: (text: string) => void): unknown {
  try {
    return JSON.parse(line);
  } catch {
    log(line);
    return undefined;
  }
}

function innerCommand(
  setUp: StageSetUp,
  { nodeOptions = [], program, words = [] }: StageProgram<never>,
): string[] {
  const node = [process.execPath, '--single-threaded-gc', ...nodeOptions];
  return [...node, program, JSON.stringify(setUp), ...words];
}

const ODD_SCRIPT = `
echo 300 >/proc/self/oom_score_adj
echo 7 >/proc/self/timerslack_ns
if chrt --reset-on-fork --fifo 10 true 2>/dev/null; then
  exec chrt --reset-on-fork --fifo 10 "$@"
fi
exec chrt --batch 0 "$@"
`;

// The class of a measuring process, as the agent gives it, and else another odd one.
function oddInheritance(): string[] {
  return [
    ...['nice', '-n', '5', 'taskset', '--cpu-list', '0', 'prlimit', '--nofile=700:8192'],
    ...['/bin/sh', '-c', ODD_SCRIPT, 'lockstep-odd'],
  ];
}
