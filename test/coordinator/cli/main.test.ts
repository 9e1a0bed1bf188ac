import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';

const MAIN = fileURLToPath(new URL('../../../coordinator/cli/main.ts', import.meta.url));

const GOOD = `experiment: good-one
question: Does it work?
procedure:
  kind: cold-start
factors:
  sandbox: [process]
  function: [hello-go]
repetitions: 2
`;

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line to its end, with nothing of this machine's settings. */
async function lockstep(...commandLine: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...commandLine], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], TERM: 'xterm-256color' },
    timeout: 20_000,
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { exitCode: await ended, stdout, stderr };
}

async function folder(t: ExecutionContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'cli-'));
  t.teardown(() => rm(made, { recursive: true, force: true }));
  return made;
}

async function experimentFile(t: ExecutionContext, content: string): Promise<string> {
  const path = join(await folder(t), 'experiment.yaml');
  await writeFile(path, content);
  return path;
}

test.serial('check says on stdout that a good file is in order', async (t) => {
  const path = await experimentFile(t, GOOD);
  t.deepEqual(await lockstep('check', path), {
    exitCode: 0,
    stdout: `${path} is in order: experiment good-one\n`,
    stderr: '',
  });
});

test.serial('check tells every mistake with line and column, without colours', async (t) => {
  const content = GOOD.replace('good-one', 'Bad Name')
    .replace('[process]', '[proces]')
    .replace('repetitions: 2', 'repetitions: none');
  const path = await experimentFile(t, content);
  const { exitCode, stdout, stderr } = await lockstep('check', path);
  t.is(exitCode, 2);
  t.is(stdout, '');
  const found = stderr.split('\n').filter((line) => line.startsWith(`${path}:`));
  t.deepEqual(
    found.map((line) => line.slice(path.length).split(' ')[0]),
    [':1:13:', ':6:13:', ':8:14:'],
    stderr,
  );
  t.regex(stderr, /has 3 mistakes/);
  t.regex(stderr, /Did you mean "process"\?/);
  t.false(stderr.includes('\u001b'));
});

test.serial('check of a file that is not there is a mistake of the command line', async (t) => {
  const { exitCode, stderr } = await lockstep('check', join(await folder(t), 'none.yaml'));
  t.is(exitCode, 2);
  t.regex(stderr, /^error \[USAGE\]: .*none\.yaml/);
});

test.serial('an unknown command is a mistake of the command line', async (t) => {
  const { exitCode, stdout, stderr } = await lockstep('frobnicate');
  t.is(exitCode, 2);
  t.is(stdout, '');
  t.regex(stderr, /unknown command 'frobnicate'/);
});

test.serial('--help lists the commands on stdout', async (t) => {
  const { exitCode, stdout, stderr } = await lockstep('--help');
  t.is(exitCode, 0);
  t.is(stderr, '');
  for (const name of [
    'quickstart',
    'up',
    'run',
    'check',
    'clocks',
    'results',
    'report',
    'doctor',
  ]) {
    t.regex(stdout, new RegExp(`^ {2}${name}\\b`, 'm'));
  }
});

test.serial('results of a run that is not there fail with a hint, without colours', async (t) => {
  const { exitCode, stdout, stderr } = await lockstep('--data', await folder(t), 'results', 'nope');
  t.is(exitCode, 1);
  t.is(stdout, '');
  t.regex(stderr, /^error \[NOT_FOUND\]: .*nope/);
  t.regex(stderr, /^ {2}hint: .*lockstep runs/m);
  t.false(stderr.includes('\u001b'));
});

test.serial('results do not leave the data folder, whatever the run is called', async (t) => {
  const { exitCode, stderr } = await lockstep('--data', await folder(t), 'results', '../../etc');
  t.is(exitCode, 1);
  t.regex(stderr, /is not the id of a run/);
});

test.serial('run without a coordinator says that none can be reached', async (t) => {
  const path = await experimentFile(t, GOOD);
  const { exitCode, stdout, stderr } = await lockstep('--data', await folder(t), 'run', path);
  t.is(exitCode, 4);
  t.is(stdout, '');
  t.regex(stderr, /^error \[BUS_UNAVAILABLE\]: no coordinator/);
  t.regex(stderr, /hint: .*lockstep up/);
});
