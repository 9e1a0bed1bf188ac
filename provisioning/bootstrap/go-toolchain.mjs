import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { findProgram } from './machine.mjs';
import { installFolder } from './private-packages.mjs';
import { compareVersions, findVersion } from './versions.mjs';

const GO_VERSION_MIN = '1.22';
const GO_RELEASE = '1.24';
const FOLDER_PREFIX = 'go-';
const VERSION_TIMEOUT_MS = 10_000;

/** The packages of the newer Debian release that make a Go toolchain without the system's help. */
export const GO_PACKAGES = [`golang-${GO_RELEASE}-go`, `golang-${GO_RELEASE}-src`];

/** A Go command that is there already: on PATH, or from an earlier set-up. */
export async function findGo(toolsFolder) {
  const candidates = [findProgram('go')];
  for (const name of existsSync(toolsFolder) ? readdirSync(toolsFolder).sort().reverse() : []) {
    if (name.startsWith(FOLDER_PREFIX)) candidates.push(join(toolsFolder, name, goBelow()));
  }
  for (const path of candidates) {
    const version = path === undefined ? undefined : await readVersion(path);
    if (version !== undefined && compareVersions(version, GO_VERSION_MIN) >= 0) {
      return { path, version };
    }
  }
  return undefined;
}

/** Unpacks the newer release's Go into `.tools`; returns why that failed, or nothing. */
export async function fetchGo(toolsFolder, packages) {
  const { folder, reason } = await packages.unpack(GO_PACKAGES);
  if (reason !== '') return reason;
  const version = await readVersion(join(folder, 'root', goBelow()));
  if (version !== undefined) {
    installFolder(join(folder, 'root'), join(toolsFolder, `${FOLDER_PREFIX}${version}`));
  }
  rmSync(folder, { recursive: true, force: true });
  return version === undefined ? 'the Go of the newer release does not run here' : '';
}

function goBelow() {
  return join('usr', 'lib', `go-${GO_RELEASE}`, 'bin', 'go');
}

async function readVersion(path) {
  if (!existsSync(path)) return undefined;
  const environment = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '', GOENV: 'off' };
  const run = await runCommand(path, ['version'], { timeoutMs: VERSION_TIMEOUT_MS, environment });
  return run.ok ? findVersion(run.stdout) : undefined;
}
