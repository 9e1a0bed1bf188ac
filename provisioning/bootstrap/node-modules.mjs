import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { findProgram, readIfThere } from './machine.mjs';
import { SetupError } from './report.mjs';

const INSTALL_TIMEOUT_MS = 900_000;
const VERSION_TIMEOUT_MS = 20_000;
const NODE_MAJOR = 24;
const STAMP = '.lockstep-setup';

/** No install script runs: none is needed, and some compile against the wrong Node. */
const INSTALL_WORDS = [
  'ci',
  '--include=optional',
  '--include=dev',
  '--no-engine-strict',
  '--ignore-scripts',
  '--loglevel=error',
  '--no-audit',
  '--no-fund',
];

/**
 * Makes `node_modules` what the lock file says, with the Node that this project runs on.
 *
 * @returns {Promise<string | undefined>} what was done, if anything.
 * @throws SetupError if that is not possible.
 */
export async function setUpNodeModules(checkout) {
  const folder = join(checkout, 'node_modules');
  const lock = readFileSync(join(checkout, 'package-lock.json'), 'utf8');
  const wanted = createHash('sha256').update(`${process.arch}\n${lock}`).digest('hex');
  const isSame = readIfThere(join(folder, STAMP)) === wanted || isInstalled(lock, folder);
  if (isSame && (await readProjectNode(checkout)).version !== undefined) {
    writeStamp(folder, wanted);
    return undefined;
  }
  await installModules(checkout);
  linkNode(folder);
  const node = await readProjectNode(checkout);
  if (node.version === undefined) {
    throw new SetupError(
      `npm ci ended well, but node_modules/.bin/node does not run: ${node.reason}`,
      `rm -rf node_modules && npm ci --include=optional --ignore-scripts; if that does not help, ` +
        `the registry in use lacks node-linux-${process.arch}: npm config get registry`,
    );
  }
  writeStamp(folder, wanted);
  return `npm packages and Node ${node.version}: installed`;
}

/** Path of the project's own Node. */
export function projectNode(checkout) {
  return join(checkout, 'node_modules', '.bin', 'node');
}

/**
 * Whether npm has already installed what the lock file lists; what is optional may be absent.
 * npm writes its own list when it is done, and removes it first.
 */
export function isInstalled(lockText, folder) {
  const installed = readIfThere(join(folder, '.package-lock.json'));
  if (installed === undefined) return false;
  try {
    const have = JSON.parse(installed).packages;
    return Object.entries(JSON.parse(lockText).packages).every(([path, wanted]) => {
      if (path === '' || wanted.link === true) return true;
      const found = have[path];
      if (found === undefined) return wanted.optional === true || wanted.devOptional === true;
      return found.version === wanted.version && found.integrity === wanted.integrity;
    });
  } catch {
    return false;
  }
}

async function installModules(checkout) {
  const npm = findNpm();
  const install = await runCommand(npm.program, [...npm.words, ...INSTALL_WORDS], {
    timeoutMs: INSTALL_TIMEOUT_MS,
    folder: checkout,
  });
  if (!install.ok) {
    throw new SetupError(
      `the npm packages could not be installed.\n${install.reason}`,
      'check the network and the registry (npm config get registry), then run it again',
    );
  }
}

/** The npm that called the set-up, else the one on PATH. */
function findNpm() {
  const calledBy = process.env.npm_execpath ?? '';
  if (/npm-cli\.c?js$/.test(calledBy) && existsSync(calledBy)) {
    return { program: process.execPath, words: [calledBy] };
  }
  const program = findProgram('npm');
  if (program === undefined) {
    throw new SetupError('there is no npm on PATH', 'install npm, e.g. apt-get install npm');
  }
  return { program, words: [] };
}

/** npm up to 10.9 makes no link to a package of which the lock file lists several platforms. */
function linkNode(folder) {
  const link = join(folder, '.bin', 'node');
  if (existsSync(link) || !existsSync(join(folder, `node-linux-${process.arch}`))) return;
  mkdirSync(join(folder, '.bin'), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(join('..', `node-linux-${process.arch}`, 'bin', 'node'), link);
}

/** The version of the project's Node; else why it cannot be used. */
async function readProjectNode(checkout) {
  const path = projectNode(checkout);
  if (!existsSync(path)) return { version: undefined, reason: 'it is not there' };
  const run = await runCommand(path, ['--version'], { timeoutMs: VERSION_TIMEOUT_MS });
  const version = run.stdout.trim();
  if (!run.ok) return { version: undefined, reason: run.reason };
  if (!version.startsWith(`v${NODE_MAJOR}.`)) {
    return { version: undefined, reason: `it is ${version || 'silent'}, not v${NODE_MAJOR}` };
  }
  return { version, reason: '' };
}

function writeStamp(folder, text) {
  const path = join(folder, STAMP);
  if (readIfThere(path) === text) return;
  try {
    writeFileSync(path, text);
  } catch {
    // Somebody else's folder: npm's own list says the same, only slower.
  }
}
