import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { findProgram } from './machine.mjs';
import { fetchOfficialNatsServer } from './official-release.mjs';
import { installFolder } from './private-packages.mjs';
import { compareVersions, findVersion } from './versions.mjs';

/** The oldest server with the features that Lockstep relies on, and without known holes. */
export const NATS_VERSION_MIN = '2.10.27';

const FOLDER_PREFIX = 'nats-server-';
const VERSION_TIMEOUT_MS = 10_000;

/** A server that is there already: on PATH, or from an earlier set-up. */
export async function findNatsServer(toolsFolder) {
  const candidates = [findProgram('nats-server')];
  for (const name of existsSync(toolsFolder) ? readdirSync(toolsFolder).sort().reverse() : []) {
    if (!name.startsWith(FOLDER_PREFIX)) continue;
    candidates.push(join(toolsFolder, name, 'usr', 'sbin', 'nats-server'));
    candidates.push(join(toolsFolder, name, 'nats-server'));
  }
  for (const path of candidates) {
    const version = path === undefined ? undefined : await readVersion(path);
    if (version !== undefined && compareVersions(version, NATS_VERSION_MIN) >= 0) {
      return { path, version };
    }
  }
  return undefined;
}

/**
 * Gets a server for this checkout: the newer Debian release's, else the official one.
 *
 * @returns {Promise<{tool?: {path: string, version: string}, from: string, reasons: string[]}>}
 */
export async function fetchNatsServer(toolsFolder, machine, packages) {
  const reasons = [];
  if (packages !== undefined) {
    const reason = await fetchPackage(toolsFolder, packages);
    const tool = await findNatsServer(toolsFolder);
    if (tool !== undefined) return { tool, from: 'from the newer Debian release', reasons };
    reasons.push(reason === '' ? 'the package of the newer release does not run here' : reason);
  }
  try {
    await fetchOfficialNatsServer(toolsFolder, NATS_VERSION_MIN, machine.debian);
  } catch (error) {
    reasons.push(error.message);
  }
  const tool = await findNatsServer(toolsFolder);
  return { tool, from: 'from the official release', reasons };
}

async function fetchPackage(toolsFolder, packages) {
  const { folder, reason } = await packages.unpack(['nats-server']);
  if (reason !== '') return reason;
  const version = await readVersion(join(folder, 'root', 'usr', 'sbin', 'nats-server'));
  if (version !== undefined) {
    installFolder(join(folder, 'root'), join(toolsFolder, `${FOLDER_PREFIX}${version}`));
  }
  rmSync(folder, { recursive: true, force: true });
  return '';
}

async function readVersion(path) {
  if (!existsSync(path)) return undefined;
  const run = await runCommand(path, ['--version'], { timeoutMs: VERSION_TIMEOUT_MS });
  return run.ok ? findVersion(run.stdout) : undefined;
}
