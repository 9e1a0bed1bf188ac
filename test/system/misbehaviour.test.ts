import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { misbehaving } from '../../agent/selftest/misbehaving.ts';
import type { Misbehaviour } from '../../agent/selftest/misbehaving.ts';
import { ArtefactCache } from '../../bus/artefact-cache.ts';
import { RunFolder } from '../../coordinator/recording/run-folder.ts';
import { buildMisbehave } from '../functions/misbehave.ts';
import { hasFunctions, TestHome } from '../support/stack.ts';
import { CHECKOUT } from '../support/nats-server.ts';

const EXPECTED = {
  'never-ready': { code: 'FUNCTION_NOT_READY', failedAfter: 'appMain' },
  'crash-before-ready': { code: 'FUNCTION_CRASHED', failedAfter: 'appMain' },
  'status-500': { code: 'FUNCTION_ANSWERED_WRONG', failedAfter: 'lastByte' },
} as const satisfies Partial<Record<Misbehaviour, object>>;

const MODES = Object.keys(EXPECTED) as (keyof typeof EXPECTED)[];

/** A cache with the ordinary function, for the probes, and the ones that misbehave. */
async function misbehavingCache(folder: string): Promise<void> {
  const built = new ArtefactCache(join(CHECKOUT, '.lockstep/cache'));
  const cache = new ArtefactCache(folder);
  const hello = (await built.names())['hello-go'] ?? '';
  const helloManifest = await built.readManifest(hello);
  for (const { digest } of helloManifest.files) await cache.putFile(built.blobPath(digest));
  await cache.setName('hello-go', await cache.putManifest(helloManifest));
  const root = await buildMisbehave();
  const { digest, sizeBytes } = await cache.putFile(join(root, 'function'));
  for (const mode of MODES) {
    const { manifest } = misbehaving(root, mode);
    const files = [{ path: '/function', mode: 0o755, sizeBytes, digest }];
    await cache.setName(manifest.name, await cache.putManifest({ ...manifest, files }));
  }
}

test('functions that misbehave give failed results with phase, code and log tail', async (t) => {
  if (!(await hasFunctions())) {
    t.log('skipped: the functions are not built on this machine');
    t.pass();
    return;
  }
  const cacheFolder = await mkdtemp(join(tmpdir(), 'lockstep-cache-'));
  t.teardown(() => rm(cacheFolder, { recursive: true, force: true }));
  await misbehavingCache(cacheFolder);
  const home = await TestHome.create(t, { LOCKSTEP_CACHE: cacheFolder });
  const experiment = join(home.folder, 'misbehave.yaml');
  const functions = MODES.map((mode) => `misbehave-${mode}`).join(', ');
  await writeFile(
    experiment,
    `experiment: misbehave
question: What becomes of functions that misbehave?
procedure: { kind: cold-start, readyTimeoutMs: 2000 }
factors: { sandbox: [process, runc], function: [${functions}] }
repetitions: 1
unavailable: skip
`,
  );
  const { code, stderr } = await home.run(
    'quickstart',
    ...['--agents', '1', '--sandboxes', 'process,runc'],
    ...['--experiment', experiment],
  );
  t.is(code, 0, stderr);
  const [runId = ''] = await RunFolder.list(home.folder);
  const { plan, results } = await RunFolder.of(home.folder, runId).read();
  t.is(results.length, plan?.trials.length ?? 0);
  for (const { cell, status, instances } of results) {
    const mode = cell.function.replace('misbehave-', '') as keyof typeof EXPECTED;
    const [instance] = instances;
    t.is(status, 'failed', cell.id);
    t.is(instance?.failure?.code, EXPECTED[mode].code, cell.id);
    t.is(instance?.failedAfter, EXPECTED[mode].failedAfter, cell.id);
    t.regex(instance?.logTail ?? '', /lockstep:main/, cell.id);
  }
});
