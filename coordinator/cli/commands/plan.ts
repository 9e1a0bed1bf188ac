import { Plan } from '../../../schemas/plan.ts';
import type { ClientOptions } from '../client.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { withClient } from '../session.ts';
import type { Work } from '../session.ts';
import { textTable } from '../text-table.ts';
import { readExperimentFile } from './experiment-source.ts';

/** What `lockstep plan` takes. */
export interface PlanOptions extends ClientOptions {
  readonly repetitions?: number;
  readonly json?: boolean;
}

/** Shows what a run would do on the fleet as it is now, without doing it. */
export function plan(path: string, options: PlanOptions): Work {
  return async (session) => {
    const { text, experiment } = await readExperimentFile(path, session.output);
    if (experiment === undefined) return EXIT_CODES.usage;
    return withClient(options, async (client, { output }) => {
      const { repetitions } = options;
      const answer = await client.ask('plan', {
        experimentYaml: text,
        ...(repetitions === undefined ? {} : { repetitions }),
      });
      if (options.json === true) {
        output.result(JSON.stringify({ ...answer, plan: Plan.encode(answer.plan) }, null, 2));
        return EXIT_CODES.ok;
      }
      output.result(
        textTable(
          ['trial', 'repetition', 'cell'],
          answer.plan.trials.map(({ trialId, repetition, cell }) => [
            trialId,
            String(repetition + 1),
            cell.id,
          ]),
        ),
      );
      const { trialsPlanned } = answer;
      const shown = answer.plan.trials.length;
      if (shown < trialsPlanned) output.say(`shown are the first ${shown} trials`);
      output.say(`${trialsPlanned} trials on ${answer.devices.join(', ')}`);
      for (const { deviceId, reason } of answer.notTaken) {
        output.say(`not taken: ${deviceId}: ${reason}`);
      }
      for (const { cell, deviceId, failure } of answer.plan.skipped) {
        output.say(`left out: ${cell.id} (${deviceId ?? 'any device'}): ${failure.message}`);
        if (failure.hint !== undefined) output.say(`  hint: ${failure.hint}`);
      }
      return EXIT_CODES.ok;
    })(session);
  };
}
