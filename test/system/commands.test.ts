import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import test from 'ava';
import { CHECKOUT } from '../support/nats-server.ts';
import { hasFunctions, onlyHelloGo, TestHome } from '../support/stack.ts';

const LONG = join(CHECKOUT, 'test/system/long.yaml');

/** The file of an experiment that differs in these lines from one that works. */
async function experiment(home: TestHome, change: Record<string, string> = {}): Promise<string> {
  const lines = {
    experiment: 'commands',
    question: 'Do all commands work?',
    procedure: '{ kind: cold-start, readyTimeoutMs: 20000 }',
    factors: '{ sandbox: [process], function: [hello-go] }',
    repetitions: '3',
    budget: '{ latenessMs: 10000, clockBoundMs: 1000 }',
    ...change,
  };
  const path = join(home.folder, `${lines.experiment}.yaml`);
  const text = Object.entries(lines).map(([key, value]) => `${key}: ${value}\n`);
  await writeFile(path, text.join(''));
  return path;
}

test.serial(
  'server, coordinator, agent and tools work apart, each with its credential',
  async (t) => {
    if (!(await hasFunctions())) {
      t.log('skipped: the functions are not built on this machine');
      t.pass();
      return;
    }
    const site = await TestHome.create(t, await onlyHelloGo(t));
    const home = await TestHome.create(t, await onlyHelloGo(t));
    const server = site.start('server', '--port', '0');
    await server.shows('ready; end it');
    const url = /nats:\S+/.exec(server.stderr())?.[0] ?? '';
    const credential = (role: string): string => join(site.folder, 'credentials', `${role}.creds`);
    const coordinator = home.start(
      ...['coordinator', '--server', url, '--creds', credential('coordinator')],
      ...['--timekeeper-creds', credential('timekeeper')],
    );
    await coordinator.shows('ready; end it');

    const deviceCredential = join(site.folder, 'pi-1.creds');
    const added = await site.run('devices', 'add', 'pi-1', '--out', deviceCredential);
    t.is(added.stdout.trim(), deviceCredential);
    const agent = home.start(
      ...['agent', '--server', url, '--creds', deviceCredential],
      ...['--data', join(home.folder, 'agents/pi-1'), '--label', 'room=lab'],
      ...['--sandboxes', 'process,runc'],
    );
    const tools = ['--server', url, '--creds', credential('researcher')];
    for (;;) {
      const { stdout, stderr } = await home.run('devices', ...tools);
      if (/pi-1\s+idle/.test(stdout)) {
        t.regex(stdout, /process/);
        break;
      }
      if (agent.child.exitCode !== null) t.fail(agent.stderr() + stderr);
    }

    const path = await experiment(home, { devices: '{ labels: { room: lab } }' });
    const planned = await home.run('plan', path, ...tools);
    t.is(planned.code, 0, planned.stderr);
    t.is(planned.stdout.trim().split('\n').length, 4);
    const done = await home.run('run', path, ...tools);
    t.is(done.code, 0, done.stderr);
    t.regex(done.stdout, /3 of 3 trials done/);
    const wrongRole = await home.run('devices', '--server', url, '--creds', deviceCredential);
    t.is(wrongRole.code, 4);

    agent.child.kill('SIGTERM');
    t.is((await agent.ended).code, 0);
    coordinator.child.kill('SIGTERM');
    t.is((await coordinator.ended).code, 0);
    server.child.kill('SIGTERM');
    t.is((await server.ended).code, 0);
  },
);

test.serial('what can not be run is refused at once, with a code and a hint', async (t) => {
  if (!(await hasFunctions())) {
    t.log('skipped: the functions are not built on this machine');
    t.pass();
    return;
  }
  const home = await TestHome.create(t, await onlyHelloGo(t));
  const up = home.start('up', '--agents', '1', '--port', '0', '--sandboxes', 'process');
  await up.shows('ready; end it');
  const refuse = async (change: Record<string, string>, code: number, says: RegExp) => {
    const outcome = await home.run('run', await experiment(home, change));
    t.is(outcome.code, code, outcome.stderr);
    t.regex(outcome.stderr, says);
    t.is(outcome.stdout, '');
  };
  await refuse({ factors: '{ sandbox: [proces], function: [hello-go] }' }, 2, /process/);
  await refuse({ factors: '{ sandbox: [process], function: [no-such] }' }, 1, /no-such/);
  await refuse({ devices: '{ labels: { room: attic } }' }, 1, /NO_DEVICE.*room=attic/);
  t.is((await home.run('run', join(home.folder, 'absent.yaml'))).code, 2);
  t.is((await home.run('results', 'no-such-run')).code, 1);
  t.is((await home.run('cancel', 'no-such-run')).code, 1);

  const first = await home.run('run', '--detach', LONG);
  const second = await home.run('run', '--detach', await experiment(home));
  const firstId = first.stdout.trim();
  t.true(second.stderr.includes(`it waits for ${firstId}`), second.stderr);
  t.is((await home.run('cancel', firstId)).code, 0);
  const listed = await home.run('runs', '--json');
  const runs = JSON.parse(listed.stdout) as { runId: string; state: string }[];
  t.is(runs.find(({ runId }) => runId === firstId)?.state, 'cancelled');
  const again = await home.run('up', '--port', '0');
  t.is(again.code, 1, again.stderr);
  t.regex(again.stderr, /already works on/);
  up.child.kill('SIGTERM');
  t.is((await up.ended).code, 0);
});

test('up says which port is in use', async (t) => {
  const home = await TestHome.create(t, await onlyHelloGo(t));
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => {
    taken.close();
  });
  const { port } = taken.address() as { port: number };
  const { code, stderr } = await home.run('up', '--agents', '0', '--port', String(port));
  t.not(code, 0);
  t.regex(stderr, new RegExp(String(port)));
  t.deepEqual(await home.processIds(), []);
});
