// Every kind of damage to the record and the plan of a run: reading it is refused, by name.
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import test from 'ava';
import { withCheck } from '../../../coordinator/recording/checked-json.ts';
import type { RunFolder } from '../../../coordinator/recording/run-folder.ts';
import type { ErrorCode } from '../../../schemas/errors.ts';
import { rejection } from '../../support/rejection.ts';
import { endedRun, recorded } from './ended-run.ts';

const { plan } = recorded;
const RESULTS = 'results.ndjson';

/** Rewrites a JSON file of the folder as its owner would: its checksum holds. */
async function rewrite(
  folder: RunFolder,
  name: string,
  change: (value: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  const text = await readFile(folder.path(name), 'utf8');
  const value = JSON.parse(text) as Record<string, unknown>;
  delete value['check'];
  await writeFile(folder.path(name), `${withCheck(JSON.stringify(change(value), null, 2))}\n`);
}

type Spoil = (folder: RunFolder) => Promise<unknown>;

/** What is done to run.json or plan.json, and what the error then says. */
const REFUSED: readonly [what: string, spoil: Spoil, code: ErrorCode, message: RegExp][] = [
  ['no run.json', (f) => rm(f.path('run.json')), 'RUN_DAMAGED', /run\.json: is missing/],
  ['no plan.json', (f) => rm(f.path('plan.json')), 'RUN_DAMAGED', /plan\.json: is missing/],
  ['an empty run.json', (f) => writeFile(f.path('run.json'), ''), 'RUN_DAMAGED', /is empty/],
  ['an empty plan.json', (f) => writeFile(f.path('plan.json'), ''), 'RUN_DAMAGED', /is empty/],
  ['half a run.json', (f) => truncate(f.path('run.json'), 900), 'RUN_DAMAGED', /a part of one/],
  ['half a plan.json', (f) => truncate(f.path('plan.json'), 900), 'RUN_DAMAGED', /a part of one/],
  [
    'zeros in place of run.json',
    (f) => writeFile(f.path('run.json'), Buffer.alloc(4096)),
    'RUN_DAMAGED',
    /run\.json: is no JSON text/,
  ],
  [
    'a number changed in run.json',
    async (f) => {
      const text = await readFile(f.path('run.json'), 'utf8');
      await writeFile(f.path('run.json'), text.replace('"trialsDone": 8', '"trialsDone": 9'));
    },
    'RUN_DAMAGED',
    /run\.json: its checksum does not match/,
  ],
  [
    'a cell changed in plan.json',
    async (f) => {
      const text = await readFile(f.path('plan.json'), 'utf8');
      await writeFile(f.path('plan.json'), text.replace('hello-go', 'hello-gp'));
    },
    'RUN_DAMAGED',
    /plan\.json: its checksum does not match/,
  ],
  [
    'a run.json of something else',
    (f) => writeFile(f.path('run.json'), '{"name":"another tool"}\n'),
    'RUN_DAMAGED',
    /run\.json: does not have the form of such a file/,
  ],
  [
    'a run.json of a newer release',
    (f) => rewrite(f, 'run.json', (value) => ({ ...value, protocol: 99 })),
    'PROTOCOL_UNSUPPORTED',
    /run\.json speaks protocol version 99/,
  ],
  [
    'the run.json of another run',
    (f) => rewrite(f, 'run.json', (value) => ({ ...value, runId: 'run-other' })),
    'RUN_DAMAGED',
    /run\.json: is the record of run run-other, in a folder named run-fixture/,
  ],
  [
    'a plan of another seed',
    (f) => rewrite(f, 'plan.json', (value) => ({ ...value, seed: 77 })),
    'RUN_DAMAGED',
    /plan\.json: is not the plan of run run-fixture: its seed is 77/,
  ],
  [
    'a plan with fewer trials',
    (f) => rewrite(f, 'plan.json', (value) => ({ ...value, trials: plan.trials.slice(1) })),
    'RUN_DAMAGED',
    /it has 7 trials, and the run 8/,
  ],
  [
    'a plan with a cell of another experiment',
    (f) => rewrite(f, 'plan.json', (v) => ({ ...v, cells: [...plan.cells, foreignCell] })),
    'RUN_DAMAGED',
    /its cell gvisor is none of the run's experiment/,
  ],
  [
    'a plan that has a trial twice',
    (f) =>
      rewrite(f, 'plan.json', (value) => ({
        ...value,
        trials: [plan.trials[0], ...plan.trials.slice(0, -1)],
      })),
    'RUN_DAMAGED',
    /it has two trials t0000/,
  ],
  [
    'a link in place of run.json',
    async (f) => {
      await rename(f.path('run.json'), f.path('elsewhere.json'));
      await symlink(f.path('elsewhere.json'), f.path('run.json'));
    },
    'RUN_DAMAGED',
    /run\.json: is a link/,
  ],
  [
    'a folder in place of results.ndjson',
    async (f) => {
      await rm(f.path(RESULTS));
      await mkdir(f.path(RESULTS));
    },
    'RUN_DAMAGED',
    /results\.ndjson: is no file/,
  ],
  [
    'a link in place of results.ndjson',
    async (f) => {
      await rename(f.path(RESULTS), f.path('elsewhere'));
      await symlink('elsewhere', f.path(RESULTS));
    },
    'RUN_DAMAGED',
    /results\.ndjson: is a link/,
  ],
  [
    'a file in place of the folder',
    async (f) => {
      await rm(f.folder, { recursive: true });
      await writeFile(f.folder, 'no folder');
    },
    'RUN_DAMAGED',
    /a file stands where its folder should be/,
  ],
  [
    'a run.json of 600 MB',
    (f) => truncate(f.path('run.json'), 600_000_000),
    'RUN_DAMAGED',
    /run\.json: has 600000000 bytes; at most/,
  ],
  [
    'a pipe in place of run.json',
    async (f) => {
      await rm(f.path('run.json'));
      await promisify(execFile)('mkfifo', [f.path('run.json')]);
    },
    'RUN_DAMAGED',
    /run\.json: is no file/,
  ],
  ['no folder', (f) => rm(f.folder, { recursive: true }), 'NOT_FOUND', /there is no /],
];

const foreignCell = { id: 'gvisor', sandbox: 'gvisor', function: 'hello-go', instances: 1 };

for (const [what, spoil, code, message] of REFUSED) {
  test(`a run with ${what} is refused, by name and with a hint`, async (t) => {
    const folder = await endedRun(t);
    await spoil(folder);
    const error = await rejection(folder.read());
    t.is(error.code, code);
    t.regex(error.message, message);
    t.true(error.message.includes(folder.folder));
    t.truthy(error.hint);
  });
}

test('a run.json without permission to read it is refused', async (t) => {
  if (process.getuid?.() === 0) {
    t.log('skipped: root may read everything');
    t.pass();
    return;
  }
  const folder = await endedRun(t);
  await chmod(folder.path('run.json'), 0);
  t.is((await rejection(folder.read())).code, 'PERMISSION_MISSING');
});
