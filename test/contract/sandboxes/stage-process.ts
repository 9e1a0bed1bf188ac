import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { detectIsolation, isolationCommand } from '../../../agent/runner/namespaces.ts';
import type { IsolationMode } from '../../../agent/runner/namespaces.ts';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import { errorMessageOf } from '../../../schemas/errors.ts';
import { traitsOf } from '../../../schemas/sandbox.ts';
import type { SandboxName, SandboxTraits } from '../../../schemas/sandbox.ts';
import { buildMisbehave } from '../../functions/misbehave.ts';
import type { StageSetUp } from './stage.ts';

/** What to run on a stage. */
export interface StageProgram {
  /** File of this folder; gets the set-up as JSON and then the words. */
  readonly program: string;
  readonly words?: readonly string[];
  /** Options for Node. */
  readonly nodeOptions?: readonly string[];
  /** The program is killed after this time. */
  readonly timeoutMs: number;
  /** Told what the program prints as errors. */
  readonly log: (text: string) => void;
}

/** What it reported, a JSON line each, or why it was not run. */
export interface StageOutcome<Report> {
  readonly reports: readonly Report[];
  readonly skipped?: string;
}

/** The function that answers at /hello in each form. */
const HELLO_FUNCTIONS: Record<SandboxTraits['runs'], string> = {
  program: 'hello-go',
  'static-program': 'hello-go',
  wasm: 'hello-wasm',
  worker: 'hello-worker',
};

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');

/** Runs a program for a kind of sandbox inside the namespaces of a runner. */
export async function runOnStage<Report>(
  sandbox: SandboxName,
  options: StageProgram,
): Promise<StageOutcome<Report>> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-contract-'));
  try {
    const isolation = await detectIsolation();
    if (isolation.mode === 'none') return { reports: [], skipped: isolation.failure.message };
    return { reports: await runInside(await prepare(sandbox, folder), isolation.mode, options) };
  } catch (error) {
    if ((error as { code?: string }).code !== 'TOOL_MISSING') throw error;
    return { reports: [], skipped: errorMessageOf(error) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function prepare(sandbox: SandboxName, scratchFolder: string): Promise<StageSetUp> {
  const cache = new ArtefactCache(join(CHECKOUT, '.lockstep', 'cache'));
  const names = await cache.names();
  const helloName = HELLO_FUNCTIONS[traitsOf(sandbox).runs];
  const { [helloName]: helloDigest, 'guest-kernel': kernelDigest } = names;
  if (helloDigest === undefined) {
    throw Object.assign(new Error(`${helloName} is not built`), { code: 'TOOL_MISSING' });
  }
  return {
    sandbox,
    scratchFolder,
    cgroupName: `contract-${process.pid}`,
    hello: {
      digest: helloDigest,
      manifest: await cache.readManifest(helloDigest),
      folder: await cache.assemble(helloDigest),
    },
    misbehaveFolder: await buildMisbehave(),
    imagesFolder: join(CHECKOUT, '.lockstep', 'cache', 'images'),
    ...(kernelDigest === undefined
      ? {}
      : { guestKernelFolder: await cache.assemble(kernelDigest) }),
  };
}

async function runInside<Report>(
  setUp: StageSetUp,
  mode: IsolationMode,
  options: StageProgram,
): Promise<Report[]> {
  const inner = [
    ...[process.execPath, '--single-threaded-gc', ...(options.nodeOptions ?? [])],
    ...[join(import.meta.dirname, options.program), JSON.stringify(setUp)],
    ...(options.words ?? []),
  ];
  const command = [...(mode === 'root' ? oddInheritance() : []), ...inner];
  const { scratchFolder } = setUp;
  const [outer = '', ...words] = isolationCommand({ scratchFolder, command, mode });
  const child = spawn(outer, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    options.log(text.trim());
  });
  try {
    await new Promise((resolve) => child.once('close', resolve));
  } finally {
    clearTimeout(timer);
  }
  const lines = output.split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Report);
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
