import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interrupt } from './command.mjs';
import { Report, SetupError } from './report.mjs';
import { setUp } from './set-up.mjs';

const USAGE = 'usage: node provisioning/bootstrap/main.mjs [--no-install] [--for-tests]\n';
const checkout = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

process.exitCode = await main(process.argv.slice(2));

/** Runs the set-up; returns the exit code: 0 done, 1 impossible, 2 usage, 130 interrupted. */
async function main(words) {
  const unknown = words.find((word) => !['--no-install', '--for-tests'].includes(word));
  if (unknown !== undefined) {
    process.stderr.write(`setup: unknown argument ${unknown}\n${USAGE}`);
    return 2;
  }
  const forTests = words.includes('--for-tests');
  const mayInstall = !words.includes('--no-install') && process.env.LOCKSTEP_NO_INSTALL !== '1';
  let isInterrupted = false;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(name, () => {
      isInterrupted = true;
      interrupt();
    });
  }
  const report = new Report();
  try {
    await setUp({ checkout, mayInstall, report, forTests });
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
