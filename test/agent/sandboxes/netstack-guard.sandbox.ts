import { execFileSync } from 'node:child_process';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { detectIsolation, isolationCommand } from '../../../agent/runner/namespaces.ts';

const DRIVERS = join(import.meta.dirname, '../../../agent/sandboxes');

// Inside the namespaces of a runner: two slots, and who starts what from where.
const SCRIPT = `
import { spawnSync } from 'node:child_process';
import { SlotPool } from '${DRIVERS}/network.ts';
import { netstackWrapper } from '${DRIVERS}/runtime-wrapper.ts';
const [first, second] = await new SlotPool(process.argv.at(-1)).acquire('veth', 2);
const run = ([program, ...words]) => {
  const { status, stdout } = spawnSync(program, words, { encoding: 'utf8' });
  return [status, stdout.trim()];
};
const enter = (slot) => ['nsenter', '--net=' + slot.netnsPath, '--'];
const wrapper = netstackWrapper(first.netnsPath);
const see = ['sh', '-c', 'echo started; ls /proc/sys/net'];
console.log(JSON.stringify({
  inItsSlot: run([...enter(first), ...wrapper, ...see]),
  inAnother: run([...enter(second), ...wrapper, ...see]),
  inTheHub: run([...wrapper, ...see]),
  hubAsSlot: run([...netstackWrapper('/proc/self/ns/net'), ...see]),
  deviceUnknown: run([...enter(first), ...wrapper.with(-2, ''), ...see]),
  slotAsDevice: run([
    ...[...enter(first), 'sh', '-c', 'exec "$@" "$(readlink /proc/self/ns/net)" hub echo started'],
    ...['sh', ...wrapper.slice(0, -2)],
  ]),
  absentFile: run([...enter(first), ...wrapper.with(-3, '/nowhere'), ...see]),
}));
`;

test("runsc's network stack starts in its slot's network namespace and nowhere else", async (t) => {
  t.timeout(60_000);
  const isolation = await detectIsolation();
  if (isolation.mode === 'none') {
    t.log(`skipped: ${isolation.failure.message}`);
    t.pass();
    return;
  }
  const scratchFolder = await mkdtemp(join(tmpdir(), 'lockstep-guard-'));
  try {
    const [program = '', ...words] = isolationCommand({
      scratchFolder,
      mode: isolation.mode,
      command: [process.execPath, '--input-type=module', '--eval', SCRIPT, scratchFolder],
    });
    const output = execFileSync(program, words, { encoding: 'utf8', timeout: 50_000 });
    const { inItsSlot, ...others } = JSON.parse(output) as Record<string, [number, string]>;
    t.is(inItsSlot?.[0], 0);
    t.regex(inItsSlot?.[1] ?? '', /^started/);
    for (const [where, seen] of Object.entries(others)) t.deepEqual(seen, [94, ''], where);
  } finally {
    await rmdir(scratchFolder);
  }
});
