import { openEndpoint } from '../../../telemetry/endpoints/open-endpoint.ts';
import { Client } from '../client.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { readRelayEndpoints } from '../relay-endpoints.ts';
import type { Session, Work } from '../session.ts';
import { startStack } from '../stack.ts';
import { readExperimentFile } from './experiment-source.ts';
import { finishRun, submit } from './run.ts';
import { awaitAgents, stackLog } from './up.ts';

/** What `lockstep quickstart` takes. */
export interface QuickstartOptions {
  readonly agents: number;
  readonly sandboxes?: string;
  readonly repetitions?: number;
  readonly experiment: string;
}

/** Starts everything on this machine, runs one experiment, shows its table, ends everything. */
export function quickstart(options: QuickstartOptions): Work {
  return async (session) => {
    const source = await readExperimentFile(options.experiment, session.output);
    if (source.experiment === undefined) return EXIT_CODES.usage;
    const stack = await startStack({
      home: session.home,
      agents: options.agents,
      ...(options.sandboxes === undefined ? {} : { sandboxes: options.sandboxes }),
      host: '127.0.0.1',
      port: 0,
      endpoints: (await readRelayEndpoints(process.env)).map((each) => openEndpoint(each)),
      ...stackLog(session),
    });
    try {
      await awaitAgents(stack, session);
      return await measure(session, { text: source.text, repetitions: options.repetitions });
    } finally {
      session.output.say('ending agents, coordinator and server');
      await stack.stop();
    }
  };
}

async function measure(
  session: Session,
  source: { text: string; repetitions: number | undefined },
): Promise<number> {
  const client = await Client.connect(session.home, {});
  try {
    const submitted = await submit(client, session, source);
    return await finishRun(client, session, submitted.runId);
  } finally {
    await client.close();
  }
}
