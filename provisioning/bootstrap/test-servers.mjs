import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { runCommand } from './command.mjs';
import { installFolder, makeWorkFolder } from './private-packages.mjs';

const FOLDER = 'test-servers';
const RECORD = 'record.json';
const START_TIMEOUT_MS = 10_000;
const RETRY = 'npm run setup -- --for-tests';

/**
 * What the tests of telemetry are run against, by the names that test-tools.json has, each with
 * its package, its place in it, and for a program the word that makes it say its version and end.
 *
 * @type {Record<string, {package: string, path: string, word?: string}>}
 */
export const TEST_SERVERS = {
  victoriaMetrics: {
    package: 'victoria-metrics',
    path: 'usr/bin/victoria-metrics',
    word: '-version',
  },
  vmagent: { package: 'victoria-metrics', path: 'usr/bin/vmagent', word: '-version' },
  prometheus: { package: 'prometheus', path: 'usr/bin/prometheus', word: '--version' },
  promtool: { package: 'promtool', path: 'usr/bin/promtool', word: '--version' },
  nodeExporter: {
    package: 'prometheus-node-exporter',
    path: 'usr/bin/prometheus-node-exporter',
    word: '--version',
  },
  opentelemetryProto: { package: 'opentelemetry-proto', path: 'usr/include' },
};

/**
 * Finds or fetches the servers that telemetry is tested with, and writes test-tools.json for the
 * tests to read. What cannot be had is null there; the tests that need it are skipped.
 *
 * @param {{toolsFolder: string, mayFetch: boolean, report: import('./report.mjs').Report}} setup
 * @param {import('./private-packages.mjs').PrivatePackages | undefined} packages of the newer
 *   release.
 */
export async function setUpTestServers({ toolsFolder, mayFetch, report }, packages) {
  let found = findTestServers(toolsFolder);
  let reason = 'They do not run here.';
  if (found === undefined && !mayFetch) reason = '--no-install forbids to fetch them.';
  else if (found === undefined && packages === undefined) reason = 'Debian has them; this is not.';
  else if (found === undefined) {
    await report.time(async () => {
      reason = (await fetchTestServers(toolsFolder, packages)) || reason;
      found = findTestServers(toolsFolder);
      return found && `servers for the tests: fetched ${describe(found)}`;
    });
  }
  const tools = found ?? nothing();
  const absent = Object.keys(tools).filter((name) => tools[name] === null);
  if (absent.length > 0) {
    const why = `Telemetry is not tested against ${absent.join(', ')}. ${reason}`;
    report.miss('test-servers', why, RETRY);
  }
  writeTestTools(toolsFolder, tools);
}

/** What an earlier set-up has fetched; undefined if it has not, or not all that is asked for. */
function findTestServers(toolsFolder) {
  const folder = join(toolsFolder, FOLDER);
  const versions = readRecord(join(folder, RECORD));
  if (versions === undefined) return undefined;
  const found = nothing();
  for (const [name, { path }] of Object.entries(TEST_SERVERS)) {
    const version = versions[name];
    if (version === undefined) return undefined;
    if (version === null) continue;
    if (!existsSync(join(folder, path))) return undefined;
    found[name] = { path: join(folder, path), version };
  }
  return found;
}

/** Unpacks the packages and keeps what is asked for; returns why that failed, or nothing. */
async function fetchTestServers(toolsFolder, packages) {
  const names = [...new Set(Object.values(TEST_SERVERS).map((one) => one.package))];
  const outcome = await packages.unpack(names);
  if (outcome.reason !== '') return outcome.reason;
  const kept = makeWorkFolder(toolsFolder);
  try {
    const versions = {};
    for (const [name, server] of Object.entries(TEST_SERVERS)) {
      const from = join(outcome.folder, 'root', server.path);
      versions[name] = (await runsHere(from, server)) ? outcome.versions[server.package] : null;
      if (versions[name] !== null) keep(from, join(kept, server.path));
    }
    writeFileSync(join(kept, RECORD), `${JSON.stringify(versions, null, 2)}\n`);
    chmodSync(kept, 0o755);
    installFolder(kept, join(toolsFolder, FOLDER));
  } finally {
    for (const folder of [outcome.folder, kept]) rmSync(folder, { recursive: true, force: true });
  }
  return '';
}

/** They are linked to the libraries of their own release, so only a start shows it. */
async function runsHere(path, { word }) {
  if (!existsSync(path)) return false;
  if (word === undefined) return true;
  return (await runCommand(path, [word], { timeoutMs: START_TIMEOUT_MS })).ok;
}

function keep(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true });
}

function writeTestTools(toolsFolder, tools) {
  const path = join(toolsFolder, 'test-tools.json');
  writeFileSync(`${path}.new`, `${JSON.stringify(tools, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}

function readRecord(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // Not there, or damaged: it is fetched again.
    return undefined;
  }
}

function nothing() {
  return Object.fromEntries(Object.keys(TEST_SERVERS).map((name) => [name, null]));
}

function describe(found) {
  return Object.entries(found)
    .filter(([, tool]) => tool !== null)
    .map(([name, { version }]) => `${name} ${version}`)
    .join(', ');
}
