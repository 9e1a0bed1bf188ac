import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interrupt } from './command.mjs';
import { Report, SetupError } from './report.mjs';
import { SANDBOX_PACKAGES, readSandboxes } from './sandbox-packages.mjs';
import { setUp } from './set-up.mjs';

const USAGE =
  'usage: node provisioning/bootstrap/main.mjs [--no-install] [--for-tests] ' +
  '[--sandboxes all|KIND,...]\n';
const checkout = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

process.exitCode = await main(process.argv.slice(2));

/** Runs the set-up; returns the exit code: 0 done, 1 impossible, 2 usage, 130 interrupted. */
async function main(words) {
  const options = readOptions(words);
  if (typeof options === 'string') {
    process.stderr.write(`setup: ${options}\n${USAGE}`);
    return 2;
  }
  const { forTests, sandboxes } = options;
  const mayInstall = !options.noInstall && process.env.LOCKSTEP_NO_INSTALL !== '1';
  let isInterrupted = false;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(name, () => {
      isInterrupted = true;
      interrupt();
    });
  }
  const report = new Report();
  try {
    await setUp({ checkout, mayInstall, report, forTests, sandboxes });
    return isInterrupted ? 130 : 0;
  } catch (error) {
    if (isInterrupted) {
      report.say('interrupted; run it again to go on');
      return 130;
    }
    if (!(error instanceof SetupError)) throw error;
    report.say(error.message);
    report.say(`  what to do: ${error.remedy}`);
    return 1;
  }
}

/** Reads the command line. Returns what is wrong with it, as a text, if something is. */
function readOptions(words) {
  const options = { noInstall: false, forTests: false, sandboxes: [] };
  for (let i = 0; i < words.length; i += 1) {
    if (words[i] === '--no-install') options.noInstall = true;
    else if (words[i] === '--for-tests') options.forTests = true;
    else if (words[i] === '--sandboxes') {
      i += 1;
      options.sandboxes = readSandboxes(words[i]);
      if (options.sandboxes !== undefined) continue;
      const known = Object.keys(SANDBOX_PACKAGES).join(', ');
      return `--sandboxes ${words[i] ?? ''}: name all, or some of ${known}`;
    } else return `unknown argument ${words[i]}`;
  }
  return options;
}
