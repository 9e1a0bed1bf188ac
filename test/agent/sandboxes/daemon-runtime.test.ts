import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { DAEMON_FOLDER } from '../../../agent/sandboxes/daemon-process.ts';
import {
  equalAmendments,
  placeText,
  runtimeFile,
} from '../../../agent/sandboxes/daemon-runtime.ts';
import type { Amendments } from '../../../agent/sandboxes/daemon-runtime.ts';

const run = promisify(execFile);

const CONFIG = {
  hostname: 'c1',
  process: {
    args: ['/function', '"hostname":"c2"', '"cgroupsPath":"/elsewhere"'],
    capabilities: { bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'] },
    rlimits: [{ type: 'RLIMIT_NPROC', soft: 1, hard: 1 }],
  },
  linux: {
    cgroupsPath: '/docker/abc',
    resources: { memory: { limit: 1 } },
    namespaces: [{ type: 'mount' }, { type: 'network', path: '/run/netns/default' }],
  },
};

type Config = typeof CONFIG;

/** Calls the runtime for a container of that configuration; returns what it made of it. */
async function amend(
  amendments: Amendments,
  options: { config?: unknown; subcommand?: string; place?: string } = {},
): Promise<{ config: Config & Record<string, unknown>; printed: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-runtime-'));
  try {
    await mkdir(join(folder, 'places'));
    await writeFile(join(folder, 'places', options.place ?? 'c1'), placeText(amendments));
    await writeFile(join(folder, 'config.json'), JSON.stringify(options.config ?? CONFIG));
    // The one that is called in the end only prints with what.
    const { text } = runtimeFile('runc', ['echo', "it's", 'called']);
    const program = join(folder, 'runc');
    await writeFile(program, text.replaceAll(DAEMON_FOLDER, folder));
    const words = [options.subcommand ?? 'create', '--bundle', folder, 'c1'];
    const { stdout } = await run('perl', [program, ...words]);
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Config;
    return { config, printed: stdout.replace(folder, 'BUNDLE') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const PLACE = { cgroupsPath: '/lockstep/a/c1', network: '/proc/7/root/tmp/netns/0' };

test('the runtime puts cgroup and network of the slot into the configuration', async (t) => {
  const { config, printed } = await amend(PLACE);
  t.deepEqual(config, {
    ...CONFIG,
    linux: {
      ...CONFIG.linux,
      cgroupsPath: PLACE.cgroupsPath,
      namespaces: [{ type: 'mount' }, { type: 'network', path: PLACE.network }],
    },
  });
  t.is(printed, "it's called create --bundle BUNDLE c1\n");
});

test('the runtime gives what the daemon is not asked for, and adds the rest', async (t) => {
  const limits = { memoryMib: 64, cpus: 1 };
  const unnamed = { process: CONFIG.process, linux: CONFIG.linux };
  const amendments = { ...PLACE, ...equalAmendments('c1', limits, { limitsSwap: true }) };
  const { config } = await amend(amendments, { config: unnamed });
  t.is(config.hostname, 'c1');
  t.deepEqual(config.process.args, CONFIG.process.args);
  t.deepEqual(Object.values(config.process.capabilities).flat(), []);
  t.deepEqual(config.process.rlimits, [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 }]);
  t.deepEqual(config.linux.resources as unknown, {
    pids: { limit: 4096 },
    memory: { limit: 67_108_864, swap: 67_108_864 },
  });
});

test('the runtime starts nothing that it has no place for, or that has no network', async (t) => {
  await t.throwsAsync(amend(PLACE, { place: 'c2' }), { message: /places\/c1/ });
  const linux = { ...CONFIG.linux, namespaces: [{ type: 'mount' }] };
  await t.throwsAsync(amend(PLACE, { config: { ...CONFIG, linux } }), { message: /no network/ });
});

test('the runtime leaves the configuration alone when no container is made', async (t) => {
  const { config } = await amend(PLACE, { subcommand: 'start' });
  t.deepEqual(config, CONFIG);
});
