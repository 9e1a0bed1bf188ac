import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { RunFolder } from '../../coordinator/recording/run-folder.ts';
import { CHECKOUT } from '../support/nats-server.ts';
import { hasFunctions, onlyHelloGo, TestHome } from '../support/stack.ts';

const execute = promisify(execFile);
const SMALL = join(CHECKOUT, 'test/system/small.yaml');

/** Interfaces, addresses and routes of the host, without what changes by itself. */
async function hostNetwork(): Promise<string> {
  const parts = await Promise.all(
    ['link', 'addr', 'route'].map(async (what) => (await execute('ip', ['-j', what])).stdout),
  );
  return parts.join('\n').replaceAll(/"(?:valid|preferred)_life_time":\d+/g, '');
}

test('quickstart measures real sandboxes on two agents and leaves the host as it was', async (t) => {
  if (!(await hasFunctions())) {
    t.log('skipped: the functions are not built on this machine');
    t.pass();
    return;
  }
  const home = await TestHome.create(t, await onlyHelloGo(t));
  const networkBefore = await hostNetwork();
  const arguments_ = ['quickstart', '--agents', '2', '--experiment', SMALL];
  const { code, stdout, stderr } = await home.run(...arguments_);
  t.is(code, 0, stderr);
  t.regex(stdout, /process\s+hello-go\s+4\s+0/);
  t.regex(stdout, /Start spread: .* ± .* clock bound/);
  t.regex(stdout, /share one machine/);

  const [runId = ''] = await RunFolder.list(home.folder);
  const folder = RunFolder.of(home.folder, runId);
  const { run, plan, results } = await folder.read();
  t.is(run.state, 'completed');
  t.is(results.length, (plan?.trials.length ?? 0) * 2);
  for (const result of results) {
    t.is(result.status, 'ok', JSON.stringify(result.failure));
    t.true((result.clock?.boundNs ?? 0n) > 0n);
    const phases = result.instances[0]?.phases;
    t.true((phases?.ready ?? 0n) > (phases?.appMain ?? 0n), 'listens after main began');
    t.true((phases?.firstByte ?? 0n) > (phases?.spawn ?? 0n));
  }
  t.regex(await readFile(folder.path('report.html'), 'utf8'), /<!doctype html>/i);
  t.is(await hostNetwork(), networkBefore, 'interfaces and routes are as before');
  t.deepEqual(await home.processIds(), [], 'no process is left');
  for (const agent of ['local-1', 'local-2']) {
    const folders = ['outbox', 'scratch'].map((name) => join(home.folder, 'agents', agent, name));
    for (const left of folders) {
      const files = (await readdir(left)).filter((name) => !name.startsWith('.'));
      t.deepEqual(files, [], `${left} is empty`);
    }
  }
  const again = await home.run('results', runId, '--csv');
  t.is(again.stdout.trim().split('\n').length, results.length + 1, 'one CSV row per sandbox');
});
