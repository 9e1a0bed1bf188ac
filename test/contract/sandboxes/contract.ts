import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { detectIsolation, isolationCommand } from '../../../agent/runner/namespaces.ts';
import type { IsolationMode } from '../../../agent/runner/namespaces.ts';
import { ArtefactCache } from '../../../bus/artefact-cache.ts';
import { errorMessageOf } from '../../../schemas/errors.ts';
import type { SandboxName } from '../../../schemas/sandbox.ts';
import { buildMisbehave } from '../../functions/misbehave.ts';
import { CHECKS } from './checks.ts';
import type { StageSetUp } from './stage.ts';

/** What the inner part reported about one check. */
interface Report {
  readonly title: string;
  readonly ok: boolean;
  readonly ms?: number;
  readonly message?: string;
  readonly details?: Record<string, string>;
  readonly failure?: { code: string; message: string; hint?: string };
}

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const TIMEOUT_MS = 240_000;

/**
 * Tests that a driver keeps the contract. Everything runs in one process inside the runner's
 * namespaces, which is started with another scheduling class, a nice value, one processor and odd
 * limits,
 * so that nothing of these may be found in a sandbox. The device's own network is compared.
 */
export function testContract(sandbox: SandboxName): void {
  let reports = new Map<string, Report>();
  let skipped: string | undefined;
  let networkBefore = '';

  test.before('the suite runs in namespaces of its own', async (t) => {
    t.timeout(TIMEOUT_MS + 60_000);
    networkBefore = hostNetwork();
    const folder = await mkdtemp(join(tmpdir(), 'lockstep-contract-'));
    try {
      const isolation = await detectIsolation();
      if (isolation.mode === 'none') {
        skipped = isolation.failure.message;
        return;
      }
      reports = await runInside(await prepare(sandbox, folder), isolation.mode, t.log);
      const detected = reports.get('detect');
      if (detected?.failure !== undefined) {
        skipped = `${detected.failure.message} (${detected.failure.hint ?? 'no remedy'})`;
      }
    } catch (error) {
      if ((error as { code?: string }).code !== 'TOOL_MISSING') throw error;
      skipped = errorMessageOf(error);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  for (const title of ['detect', ...Object.keys(CHECKS), 'leaves nothing behind']) {
    test(`${sandbox} ${title}`, (t) => {
      if (skipped !== undefined) {
        t.log(`skipped: ${skipped}`);
        t.pass();
        return;
      }
      const report = reports.get(title);
      t.truthy(report, 'the inner process ended before this check');
      t.true(report?.ok, report?.message);
      if (report?.details !== undefined) t.log(report.details);
    });
  }

  test(`${sandbox} leaves the network of the device as it was`, (t) => {
    t.is(hostNetwork(), networkBefore);
  });
}

async function prepare(sandbox: SandboxName, scratchFolder: string): Promise<StageSetUp> {
  const cache = new ArtefactCache(join(CHECKOUT, '.lockstep', 'cache'));
  const names = await cache.names();
  const { 'hello-go': helloDigest, 'guest-kernel': kernelDigest } = names;
  if (helloDigest === undefined) {
    throw Object.assign(new Error('hello-go is not built'), { code: 'TOOL_MISSING' });
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
    ...(kernelDigest === undefined
      ? {}
      : { guestKernelFolder: await cache.assemble(kernelDigest) }),
  };
}

async function runInside(
  setUp: StageSetUp,
  mode: IsolationMode,
  log: (text: string) => void,
): Promise<Map<string, Report>> {
  const program = join(import.meta.dirname, 'inside.ts');
  const inner = [process.execPath, '--single-threaded-gc', program, JSON.stringify(setUp)];
  const command = [...(mode === 'root' ? oddInheritance() : []), ...inner];
  const [outer = '', ...words] = isolationCommand({
    scratchFolder: setUp.scratchFolder,
    command,
    mode,
  });
  const child = spawn(outer, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log(text.trim());
  });
  try {
    await new Promise((resolve) => child.once('close', resolve));
  } finally {
    clearTimeout(timer);
  }
  const lines = output.split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const report = JSON.parse(line) as Report;
      return [report.title, report];
    }),
  );
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

function hostNetwork(): string {
  if (!existsSync('/proc/net/dev')) return '';
  const read = (...words: string[]): string =>
    execFileSync('ip', ['-j', ...words], { encoding: 'utf8' });
  // Leases count down.
  return [read('addr'), read('link'), read('route'), read('-6', 'route')]
    .join('\n')
    .replaceAll(/"(?:valid_life_time|preferred_life_time|expires)":\d+,?/g, '');
}
