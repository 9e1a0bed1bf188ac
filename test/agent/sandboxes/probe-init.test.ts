import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { PROBE_MARKER, probeInit } from '../../../agent/sandboxes/probe-init.ts';
import { Architecture } from '../../../schemas/artefact.ts';

test('probeInit runs on this machine and prints its marker', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-probe-'));
  t.teardown(async () => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'probe');
  await writeFile(file, probeInit(Architecture.parse(process.arch)));
  await chmod(file, 0o755);
  t.is(execFileSync(file, { encoding: 'utf8' }), `${PROBE_MARKER}\n`);
});
