import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import test from 'ava';
import { readTools } from '../../../provisioning/functions/tools.ts';
import { GO_FUNCTION_FOLDER } from '../../../provisioning/functions/hello-go.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const BUILD_CACHE = join(CHECKOUT, '.tools', 'go-build-cache');

/** As the function itself is compiled, so that what it needs is compiled already. */
const FLAGS = ['-trimpath', '-tags', 'netgo,osusergo', '-buildmode=pie', '-vet=off', '-count=1'];

test('the Go function keeps its own tests', async (t) => {
  const tools = await readTools(join(CHECKOUT, '.tools', 'tools.json')).catch(() => undefined);
  if (!tools?.go) {
    t.log('skipped: no Go on this machine; run the set-up');
    t.pass();
    return;
  }
  const { status, stdout, stderr } = spawnSync(tools.go.path, ['test', ...FLAGS, '-v', '.'], {
    cwd: GO_FUNCTION_FOLDER,
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
