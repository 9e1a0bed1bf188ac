import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { detectIsolation, isolationCommand } from '../../../agent/runner/namespaces.ts';
import { detectRealTime } from '../../../agent/runner/real-time.ts';
import { readSchedulingClass } from '../../../agent/runner/scheduling-class.ts';

// Everything here runs for real; what this machine does not allow is logged and left out.

const bare = (command: readonly string[]): readonly string[] => command;

// An ordinary user without any right to a real-time priority.
const WITHOUT_RIGHTS = [
  ...['prlimit', '--rtprio=0', 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
];

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Classes of a process behind these words and of a child of it, as the kernel has them. */
async function classesBehind(
  t: ExecutionContext,
  words: readonly string[],
): Promise<{ own: string; child: string }> {
  const script = 'sleep 30 & echo "$$ $!"; wait';
  const command: readonly string[] = [...words, 'sh', '-c', script];
  const [program = '', ...rest] = command;
  const parent = spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  t.teardown(() => {
    process.kill(-(parent.pid ?? 0), 'SIGKILL');
  });
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  const [own = 0, child = 0] = line.split(' ').map(Number);
  return { own: readSchedulingClass(own), child: readSchedulingClass(child) };
}

test('behind the words a process has the class that is promised, and its children have not', async (t) => {
  const realTime = await detectRealTime(bare);
  const { own, child } = await classesBehind(t, realTime.words);
  t.is(own, realTime.schedulingClass);
  if (realTime.reason === undefined) {
    t.is(own, 'SCHED_FIFO 10');
    t.is(child, 'SCHED_OTHER 0', 'reset on fork');
  } else {
    t.log(`ordinary class here: ${realTime.reason}`);
    t.is(child, readSchedulingClass());
  }
});

test("the words also work behind those of the runner's namespaces", async (t) => {
  const isolation = await detectIsolation();
  if (isolation.mode === 'none') {
    t.log(`left out: ${isolation.failure.message}`);
    t.pass();
    return;
  }
  const { mode } = isolation;
  const inside = await detectRealTime((command) =>
    isolationCommand({ scratchFolder: '/tmp', mode, command }),
  );
  const outside = await detectRealTime(bare);
  if (mode === 'root') t.deepEqual(inside, outside);
  else t.is(inside.words.length > 0, inside.reason === undefined);
});

test('where it is refused there are no words, an ordinary class, and the reason of chrt', async (t) => {
  if (!isRoot()) {
    t.log('left out: only root can take rights away from a process like this');
    t.pass();
    return;
  }
  const refused = await detectRealTime((command) => [...WITHOUT_RIGHTS, ...command]);
  t.deepEqual(refused.words, []);
  t.is(refused.schedulingClass, readSchedulingClass());
  t.regex(refused.reason ?? '', /: chrt: .*Operation not permitted/);
  t.regex(refused.reason ?? '', /CAP_SYS_NICE/);
});

test('the reason is not lost behind the long words of the namespaces', async (t) => {
  if (!isRoot()) {
    t.log('left out: only root can take rights away from a process like this');
    t.pass();
    return;
  }
  const long = ['env', ...Array.from({ length: 50 }, (_, index) => `VARIABLE_${index}=${index}`)];
  const refused = await detectRealTime((command) => [...WITHOUT_RIGHTS, ...long, ...command]);
  t.regex(refused.reason ?? '', /: chrt: .*Operation not permitted/);
  t.true((refused.reason ?? '').length <= 512, 'it must fit into a result');
});

test('where there is no chrt the reason says so', async (t) => {
  const absent = await detectRealTime(() => ['lockstep-no-such-program']);
  t.deepEqual(absent.words, []);
  t.regex(absent.reason ?? '', /lockstep-no-such-program could not be started/);
});
