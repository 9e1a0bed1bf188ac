import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import test from 'ava';
import { loadGenerator } from '../../provisioning/load-generator/recipe.ts';
import { readTools } from '../../provisioning/functions/tools.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..');
const BUILD_CACHE = join(CHECKOUT, '.tools', 'go-build-cache');
const SOURCE_FOLDER = join(CHECKOUT, 'provisioning', 'load-generator');

/** As the program itself is compiled, so that what it needs is compiled already. */
const FLAGS = ['-trimpath', '-tags', 'netgo,osusergo', '-buildmode=pie', '-vet=off', '-count=1'];

test('the load generator keeps its own tests', async (t) => {
  const tools = await readTools(join(CHECKOUT, '.tools', 'tools.json')).catch(() => undefined);
  if (!tools?.go) {
    t.log('skipped: no Go on this machine; run the set-up');
    t.pass();
    return;
  }
  const { status, stdout, stderr } = spawnSync(tools.go.path, ['test', ...FLAGS, '-v', '.'], {
    cwd: SOURCE_FOLDER,
    encoding: 'utf8',
    timeout: 110_000,
    env: {
      ...process.env,
      PATH: `${dirname(tools.go.path)}:${process.env['PATH'] ?? ''}`,
      HOME: BUILD_CACHE,
      GOCACHE: BUILD_CACHE,
      GOPATH: join(BUILD_CACHE, 'path'),
      GOENV: 'off',
      GOFLAGS: '',
      GOPROXY: 'off',
      GOTOOLCHAIN: 'local',
      GOWORK: 'off',
    },
  });
  t.is(status, 0, `${stdout}${stderr}`);
  t.true(stdout.match(/^--- PASS/gm)!.length > 10, stdout);
});

test('the recipe of the load generator depends on its sources, not on its tests', async (t) => {
  const tools = await readTools(join(CHECKOUT, '.tools', 'tools.json')).catch(() => undefined);
  if (!tools?.go) {
    t.log('skipped: no Go on this machine; run the set-up');
    t.pass();
    return;
  }
  const recipe = loadGenerator({ goPath: tools.go.path, buildCacheFolder: BUILD_CACHE });
  const inputs = await recipe.readInputs();
  t.true(inputs.includes('func runClosed('));
  t.false(inputs.includes('testing.T'));
});
