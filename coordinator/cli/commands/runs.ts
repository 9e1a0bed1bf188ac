import { Run } from '../../../schemas/run.ts';
import { errorMessageOf } from '../../../schemas/errors.ts';
import { RunFolder } from '../../recording/run-folder.ts';
import type { ClientOptions } from '../client.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { withClient } from '../session.ts';
import type { Session, Work } from '../session.ts';
import { textTable } from '../text-table.ts';

/** Time for a run to be cancelled: sandboxes that are going must be removed, ms. */
const CANCEL_TIMEOUT_MS = 150_000;

/** Lists the runs on disk, newest first. Needs no coordinator. */
export function runs(options: { json?: boolean }): Work {
  return async (session) => {
    const known = await readRuns(session);
    if (options.json === true) {
      session.output.result(
        JSON.stringify(
          known.map((run) => Run.encode(run)),
          null,
          2,
        ),
      );
      return EXIT_CODES.ok;
    }
    if (known.length === 0) session.output.say(`there is no run in ${session.home.folder}`);
    else session.output.result(textTable(['run', 'state', 'trials', 'devices'], known.map(runRow)));
    return EXIT_CODES.ok;
  };
}

/** Cancels a run that waits or goes. */
export function cancel(runId: string, options: ClientOptions): Work {
  return withClient(options, async (client, { output }) => {
    await client.ask('cancel', { runId }, CANCEL_TIMEOUT_MS);
    output.result(`run ${runId} is cancelled; what was reported is kept`);
    return EXIT_CODES.ok;
  });
}

async function readRuns({ home, output }: Session): Promise<Run[]> {
  const known: Run[] = [];
  for (const runId of await RunFolder.list(home.folder)) {
    try {
      known.push(await RunFolder.of(home.folder, runId).readRun());
    } catch (error) {
      output.say(`run ${runId} is not readable: ${errorMessageOf(error)}`);
    }
  }
  return known;
}

function runRow(run: Run): string[] {
  const queued = run.waitingFor === undefined ? '' : ` behind ${run.waitingFor.join(', ')}`;
  return [
    run.runId,
    `${run.state}${queued}`,
    `${run.trialsDone}/${run.trialsPlanned}`,
    run.devices.map(({ presence }) => presence.deviceId).join(','),
  ];
}
