import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { recordPrograms, runCommand } from './command.mjs';
import { readMachine } from './machine.mjs';
import { projectNode, setUpNodeModules } from './node-modules.mjs';
import { removeWorkFolders } from './private-packages.mjs';
import { SetupError } from './report.mjs';
import { takeSetupLock } from './setup-lock.mjs';
import { removeOwnPolicy } from './service-policy.mjs';
import { setUpSystem } from './system-packages.mjs';
import { setUpTools, writeTools } from './tools.mjs';

const BUILD_TIMEOUT_MS = 600_000;

/**
 * Sets up a checkout: npm packages, tools, what sandboxes need of the system, and the functions.
 * Does only what is not done yet, one process at a time.
 *
 * @param {{checkout: string, mayInstall: boolean, report: import('./report.mjs').Report,
 *   forTests?: boolean, sandboxes?: string[]}} options `forTests`: what only the tests need, too;
 *   `sandboxes`: kinds of sandbox whose own packages are wanted
 * @throws SetupError if the project cannot work without what is missing.
 */
export async function setUp(options) {
  const { checkout, mayInstall, report, forTests = false, sandboxes = [] } = options;
  const machine = readMachine();
  if (machine === undefined) {
    throw new SetupError(
      `this machine is ${process.platform} ${process.arch}`,
      'run it on Linux with an x64 or arm64 processor',
    );
  }
  const toolsFolder = join(checkout, '.tools');
  mkdirSync(toolsFolder, { recursive: true });
  const release = await takeSetupLock(join(toolsFolder, 'setup.lock'), {
    onWait: (pid) => report.say(`waiting for another set-up (process ${pid})`),
  });
  try {
    recordPrograms(join(toolsFolder, 'setup.child'));
    removeWorkFolders(toolsFolder);
    if (machine.isRoot && mayInstall) removeOwnPolicy();
    await report.time(() => setUpNodeModules(checkout));
    await setUpSystem({ machine, mayInstall, report, forTests, sandboxes });
    const mayFetch = mayInstall;
    const tools = await setUpTools({ toolsFolder, machine, mayFetch, report, forTests });
    writeTools(toolsFolder, { ...tools, missing: report.missing });
    await buildFunctions(checkout, report);
    writeTools(toolsFolder, { ...tools, missing: report.missing });
  } finally {
    release();
  }
  report.sayMissing();
}

/** Builds the functions with the project's own Node; what cannot be built is only missing. */
async function buildFunctions(checkout, report) {
  await report.time(async () => {
    const script = join(checkout, 'provisioning', 'functions', 'build.ts');
    const run = await runCommand(projectNode(checkout), [script], { timeoutMs: BUILD_TIMEOUT_MS });
    if (!run.ok) {
      report.miss('functions', `They could not be built. ${run.reason}`, 'npm run setup');
      return undefined;
    }
    const outcome = JSON.parse(run.stdout);
    for (const { name, why, remedy } of outcome.missing) report.miss(name, why, remedy);
    return outcome.built.length === 0 ? undefined : `${outcome.built.join(', ')}: built`;
  });
}
