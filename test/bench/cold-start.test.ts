import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { compareColdStarts } from './cold-start.ts';

const CHECKOUT = join(import.meta.dirname, '../..');
const CACHE = process.env['LOCKSTEP_CACHE'] ?? join(CHECKOUT, '.lockstep/cache');

/** Why nothing can be measured here; undefined if it can. */
function missing(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  return existsSync(join(CACHE, 'names.json')) ? undefined : 'no artefacts: run npm run setup';
}

function skip(t: ExecutionContext, reason: string): void {
  t.log(`skipped: ${reason}`);
  t.pass();
}

/** Folders of cgroups of a benchmark that runs in this process. */
function cgroupsOf(pid: number): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '');
  return mounts.flatMap((mount) => {
    const parent = join(mount, 'lockstep');
    if (!existsSync(parent)) return [];
    return readdirSync(parent).filter((name) => new RegExp(`^bench-${pid}(-|$)`).test(name));
  });
}

/** Processes whose command line has a text in it. */
function processesWith(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(text) ? [`${pid} ${line}`] : [];
      } catch {
        return [];
      }
    });
}

test.serial('cold-start compares each sandbox in pairs and leaves nothing', async (t) => {
  const reason = missing();
  if (reason !== undefined) {
    skip(t, reason);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'cold-start-test-'));
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  t.teardown(async () => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    await rm(folder, { recursive: true, force: true });
  });
  const { columns, rows, notes } = await compareColdStarts(
    {
      log: (line) => {
        t.log(line);
      },
    },
    2,
  );
  const sandboxes = rows.map(([sandbox]) => sandbox);
  for (const sandbox of ['process', 'runc']) {
    const note = notes.find((line) => line.startsWith(`${sandbox} was not measured`));
    if (note !== undefined) t.log(`skipped: ${note}`);
    t.is(sandboxes.includes(sandbox), note === undefined);
  }
  t.true(sandboxes.includes('process'));
  for (const row of rows) {
    t.is(row.length, columns.length);
    const value = (name: string) => row[columns.indexOf(name)];
    t.is(value('pairs'), 2);
    t.true(Number(value('oursMedianMs')) > 0);
    t.true(Number(value('bareMedianMs')) > 0);
    t.is(value('pairedLowMs'), undefined);
    t.regex(String(value('within2Ms')), /^(yes|no)$/);
  }
  t.deepEqual(await readdir(folder), []);
  t.deepEqual(cgroupsOf(process.pid), []);
  t.deepEqual(processesWith(folder), []);
});

test.serial('cold-start that is interrupted leaves nothing and ends of the signal', async (t) => {
  const reason = missing();
  if (reason !== undefined) {
    skip(t, reason);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'cold-start-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const main = join(import.meta.dirname, 'main.ts');
  const child = execFile(process.execPath, [main, 'cold-start', '--full'], {
    env: { ...process.env, TMPDIR: folder },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  const closed = once(child, 'close');
  let progress = '';
  for await (const chunk of child.stderr!) {
    progress += String(chunk);
    if (progress.includes('process: ')) break;
  }
  // The first scratch folder stands once the work has begun.
  while ((await readdir(folder)).length === 0) await new Promise(setImmediate);
  child.kill('SIGINT');
  const [code, signal] = (await closed) as [number | null, string | null];
  t.deepEqual([code, signal], [null, 'SIGINT']);
  t.deepEqual(await readdir(folder), []);
  t.deepEqual(cgroupsOf(child.pid!), []);
  t.deepEqual(processesWith(folder), []);
});
